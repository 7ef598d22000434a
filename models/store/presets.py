"""Providers and models that the environment sets up when an installation starts (spec chat-loop.md 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.compaction import default_threshold
from models.model_options import CallConfig
from models.providers import Preset
from models.store.reading import transaction
from models.store.tables import ai_provider_keys, ai_providers, model_configs, organizations


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A model that the environment can reach."""

    preset: Preset
    model: str
    display_name: str
    context_limit: int
    config: CallConfig = CallConfig()


_DISPLAY_NAMES = {Preset.DEMO: "Demo model"}


async def ensure_models(engine: AsyncEngine, organization_id: UUID, offered: Sequence[OfferedModel]) -> None:
    """Set up the offered models and their providers, best first.

    What an administrator changed or deleted stays as it is, except for facts about the model itself. The
    first becomes the default where there is none, or where the default's provider came from an environment
    that does not offer it any more.
    """
    if not offered:
        return
    async with transaction(engine) as conn:
        # see models.store.catalog: writes to one organization's models go one after the other
        await conn.execute(
            select(organizations.c.id).where(organizations.c.id == organization_id).with_for_update()
        )
        providers = await _ensure_providers(conn, {model.preset for model in offered})
        ids: list[UUID] = []
        for model in offered:
            provider_id = providers.get(model.preset)
            if provider_id is not None:
                ids += await _ensure_model(conn, organization_id, provider_id, model)
        if ids and not await _default_stays(conn, organization_id, [model.preset for model in offered]):
            here = model_configs.c.organization_id == organization_id
            await conn.execute(
                update(model_configs).where(here, model_configs.c.is_default).values(is_default=False)
            )
            await conn.execute(
                update(model_configs).where(model_configs.c.id == ids[0]).values(is_default=True)
            )


async def _ensure_providers(conn: AsyncConnection, wanted: set[Preset]) -> dict[Preset, UUID]:
    """The providers of presets by id; without those that were deleted, or whose name is taken."""
    known = await conn.execute(select(ai_providers.c.preset).where(ai_providers.c.preset.in_(wanted)))
    missing = wanted - {Preset(preset) for preset in known.scalars()}
    for preset in sorted(missing):
        await conn.execute(
            insert(ai_providers)
            .values(
                id=uuid4(),
                type=preset.provider_type,
                preset=preset,
                name=preset.value,
                display_name=_DISPLAY_NAMES.get(preset, preset.provider_type.display_name),
            )
            .on_conflict_do_nothing()
        )
    result = await conn.execute(
        select(ai_providers.c.preset, ai_providers.c.id).where(
            ai_providers.c.preset.in_(wanted), ai_providers.c.deleted.is_(False)
        )
    )
    return {Preset(preset): provider_id for preset, provider_id in result}


async def _ensure_model(
    conn: AsyncConnection, organization_id: UUID, provider_id: UUID, model: OfferedModel
) -> list[UUID]:
    """The model's id, unless somebody deleted it."""
    result = await conn.execute(
        update(model_configs)
        .where(
            model_configs.c.organization_id == organization_id,
            model_configs.c.ai_provider_id == provider_id,
            model_configs.c.model == model.model,
        )
        .values(display_name=model.display_name, context_limit=model.context_limit)
        .returning(model_configs.c.id, model_configs.c.deleted)
    )
    known = result.all()
    if known:
        return [row.id for row in known if not row.deleted]
    model_id = uuid4()
    await conn.execute(
        insert(model_configs).values(
            id=model_id,
            organization_id=organization_id,
            ai_provider_id=provider_id,
            model=model.model,
            display_name=model.display_name,
            context_limit=model.context_limit,
            compression_threshold=default_threshold(model.context_limit),
            call_config=model.config.stored(),
        )
    )
    return [model_id]


async def _default_stays(conn: AsyncConnection, organization_id: UUID, offered: Sequence[Preset]) -> bool:
    result = await conn.execute(
        select(ai_providers.c.preset, ai_provider_keys.c.ai_provider_id)
        .select_from(model_configs)
        .join(ai_providers, ai_providers.c.id == model_configs.c.ai_provider_id)
        .outerjoin(ai_provider_keys, ai_provider_keys.c.ai_provider_id == ai_providers.c.id)
        .where(model_configs.c.organization_id == organization_id, model_configs.c.is_default)
    )
    default = result.one_or_none()
    if default is None:
        return False
    preset, has_key_of_its_own = default
    return preset is None or has_key_of_its_own is not None or preset in offered
