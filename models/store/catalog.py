"""The models an organization may use."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from models.compaction import default_threshold
from models.store.reading import reading, transaction
from models.store.tables import model_configs, organizations


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A model that the worker's settings can reach."""

    provider: str
    model: str
    display_name: str
    context_limit: int
    max_output_tokens: int = 32_000
    thinking_budget_tokens: int | None = None


async def find_usable(engine: AsyncEngine, organization_id: UUID, wanted: UUID | None) -> UUID | None:
    """The enabled model `wanted`, or with None the organization's default; None if there is none."""
    which = model_configs.c.is_default if wanted is None else model_configs.c.id == wanted
    async with reading(engine) as conn:
        return await conn.scalar(
            select(model_configs.c.id).where(
                model_configs.c.organization_id == organization_id, model_configs.c.enabled, which
            )
        )


async def ensure_models(engine: AsyncEngine, organization_id: UUID, offered: Sequence[OfferedModel]) -> None:
    """Set up the offered models, best first.

    What an administrator changed on an existing one stays, except for facts about the model itself. The
    first becomes the default where there is none, or where the default's provider is not offered any more.
    """
    if not offered:
        return
    async with transaction(engine) as conn:
        # writes to one organization's models go one after the other, or two could elect a default each
        await conn.execute(
            select(organizations.c.id).where(organizations.c.id == organization_id).with_for_update()
        )
        ids: list[UUID] = []
        for model in offered:
            statement = insert(model_configs).values(
                id=uuid4(),
                organization_id=organization_id,
                compression_threshold=default_threshold(model.context_limit),
                **asdict(model),
            )
            result = await conn.execute(
                statement.on_conflict_do_update(
                    index_elements=["organization_id", "provider", "model"],
                    set_={
                        "display_name": statement.excluded.display_name,
                        "context_limit": statement.excluded.context_limit,
                    },
                ).returning(model_configs.c.id)
            )
            ids.append(result.scalar_one())
        default = await conn.scalar(
            select(model_configs.c.provider).where(
                model_configs.c.organization_id == organization_id, model_configs.c.is_default
            )
        )
        if default in {model.provider for model in offered}:
            return
        here = model_configs.c.organization_id == organization_id
        await conn.execute(
            update(model_configs).where(here, model_configs.c.is_default).values(is_default=False)
        )
        await conn.execute(update(model_configs).where(model_configs.c.id == ids[0]).values(is_default=True))
