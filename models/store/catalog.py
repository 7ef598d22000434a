"""The models of an organization, one of them its default (spec api.md section 11).

Writes to one organization's models go one after the other, under a lock on its row: two at once could leave
no default, or meet at the index that forbids two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Uuid,
    and_,
    any_,
    desc,
    exists,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.compaction import default_threshold
from models.model_options import CallConfig
from models.store.audit import Change, write_change
from models.store.configuration import ModelRecord, model_of
from models.store.model_access import open_to
from models.store.reading import reading, transaction
from models.store.tables import ai_providers, model_configs, organizations

SAME_MODEL = "model_configs_name"


class ProviderNotUsable(Exception):
    """The provider named for a model does not exist for the organization, or is disabled."""


class ModelExists(Exception):
    """The organization has this model of this provider already."""


@dataclass(frozen=True, slots=True)
class NewModel:
    """A model to be offered. `compression_threshold` None: the usual one for its size."""

    provider_id: UUID
    model: str
    display_name: str
    context_limit: int
    enabled: bool = True
    is_default: bool = False
    compression_threshold: int | None = None
    config: CallConfig = CallConfig()


async def list_models(
    engine: AsyncEngine, organization_id: UUID, *, reader: UUID | None = None
) -> list[ModelRecord]:
    """The models of an organization, oldest first.

    Args:
        reader: a user, to leave out what they may not use.
    """
    async with reading(engine) as conn:
        result = await conn.execute(
            select(model_configs)
            .where(_of(organization_id), _readable_by(reader))
            .order_by(model_configs.c.created_at, model_configs.c.id)
        )
        return [model_of(row) for row in result.mappings()]


async def find_model(
    engine: AsyncEngine, organization_id: UUID, model_id: UUID, *, reader: UUID | None = None
) -> ModelRecord | None:
    """A model of an organization; None also if the reader may not use it."""
    async with reading(engine) as conn:
        return await _find(conn, organization_id, model_id, reader)


async def find_model_of(
    engine: AsyncEngine, reach: Sequence[UUID] | None, provider_id: UUID, model: str | None
) -> ModelRecord | None:
    """A configured model of a provider: the one of this name, or with None the oldest that is enabled.

    Args:
        reach: organizations whose models are looked at; None: all.
    """
    which = [model_configs.c.enabled if model is None else model_configs.c.model == model]
    if reach is not None:
        which.append(model_configs.c.organization_id == any_(literal(reach, ARRAY(Uuid))))
    async with reading(engine) as conn:
        result = await conn.execute(
            select(model_configs)
            .where(model_configs.c.ai_provider_id == provider_id, model_configs.c.deleted.is_(False), *which)
            .order_by(model_configs.c.created_at, model_configs.c.id)
            .limit(1)
        )
        row = result.mappings().one_or_none()
        return None if row is None else model_of(row)


async def create_model(
    engine: AsyncEngine, organization_id: UUID, new: NewModel, by: UUID | None, change: Change | None = None
) -> ModelRecord:
    """Offer a model. The first one becomes the default.

    Raises:
        ProviderNotUsable: it could not be called.
        ModelExists: it is on offer already.
    """
    model_id = uuid4()
    threshold = new.compression_threshold
    async with transaction(engine) as conn:
        await _lock(conn, [organization_id])
        await _require_provider(conn, organization_id, new.provider_id)
        if new.is_default:
            await _demote(conn, organization_id)
        await _unless_there(
            conn,
            insert(model_configs).values(
                id=model_id,
                organization_id=organization_id,
                ai_provider_id=new.provider_id,
                model=new.model,
                display_name=new.display_name,
                enabled=new.enabled,
                is_default=new.is_default,
                context_limit=new.context_limit,
                compression_threshold=default_threshold(new.context_limit)
                if threshold is None
                else threshold,
                call_config=new.config.stored(),
                created_by=by,
                updated_by=by,
            ),
        )
        await elect_defaults(conn, [organization_id])
        await write_change(conn, change, target_id=model_id, status=201)
        return await _found(conn, organization_id, model_id)


async def change_model(
    engine: AsyncEngine,
    organization_id: UUID,
    model_id: UUID,
    changes: Mapping[str, Any],
    by: UUID,
    change: Change | None = None,
) -> ModelRecord | None:
    """Change a model; None if there is no such model.

    Args:
        changes: columns and their new values.

    Raises:
        ProviderNotUsable: the model is to move to one that could not be called.
        ModelExists: what it is to become is on offer already.
    """
    async with transaction(engine) as conn:
        await _lock(conn, [organization_id])
        before = await _find(conn, organization_id, model_id)
        if before is None:
            return None
        provider_id = changes.get("ai_provider_id", before.provider_id)
        if provider_id != before.provider_id:
            await _require_provider(conn, organization_id, provider_id)
        if changes.get("is_default"):
            await _demote(conn, organization_id)
        await _unless_there(
            conn,
            update(model_configs)
            .where(model_configs.c.id == model_id)
            .values(**changes, updated_by=by, updated_at=func.now()),
        )
        await elect_defaults(conn, [organization_id], rather_not=model_id)
        await write_change(conn, change)
        return await _found(conn, organization_id, model_id)


async def delete_model(
    engine: AsyncEngine, organization_id: UUID, model_id: UUID, by: UUID, change: Change | None = None
) -> bool:
    """Take a model off offer. Chats that used it go on with the default.

    Returns:
        Whether there was one.
    """
    async with transaction(engine) as conn:
        await _lock(conn, [organization_id])
        result = await conn.execute(
            update(model_configs)
            .where(_of(organization_id), model_configs.c.id == model_id)
            .values(deleted=True, is_default=False, updated_by=by, updated_at=func.now())
        )
        await elect_defaults(conn, [organization_id])
        if result.rowcount:
            await write_change(conn, change, status=204)
        return result.rowcount > 0


async def delete_models_of(conn: AsyncConnection, provider_id: UUID) -> None:
    """Take all models of a provider off offer, as part of its deletion."""
    mine = and_(model_configs.c.ai_provider_id == provider_id, model_configs.c.deleted.is_(False))
    result = await conn.execute(select(model_configs.c.organization_id).where(mine).distinct())
    concerned = sorted(result.scalars())
    await _lock(conn, concerned)
    await conn.execute(
        update(model_configs).where(mine).values(deleted=True, is_default=False, updated_at=func.now())
    )
    await elect_defaults(conn, concerned)


async def elect_defaults(
    conn: AsyncConnection, concerned: Sequence[UUID], rather_not: UUID | None = None
) -> None:
    """Give each organization without a default one: of the models that can be used the oldest, or else any.

    Args:
        rather_not: the model that was just demoted; it is chosen again only where it is alone.
    """
    others = model_configs.alias("others")
    has_default = exists().where(
        others.c.organization_id == model_configs.c.organization_id, others.c.is_default
    )
    usable = and_(model_configs.c.enabled, ai_providers.c.enabled, ai_providers.c.deleted.is_(False))
    chosen = (
        select(model_configs.c.id)
        .join(ai_providers, ai_providers.c.id == model_configs.c.ai_provider_id)
        .where(
            model_configs.c.organization_id.in_(concerned),
            model_configs.c.deleted.is_(False),
            ~has_default,
        )
        .ext(distinct_on(model_configs.c.organization_id))
        .order_by(
            model_configs.c.organization_id,
            func.coalesce(model_configs.c.id == rather_not, False),
            desc(usable),
            model_configs.c.created_at,
            model_configs.c.id,
        )
    )
    await conn.execute(update(model_configs).where(model_configs.c.id.in_(chosen)).values(is_default=True))


def _of(organization_id: UUID) -> Any:
    return and_(model_configs.c.organization_id == organization_id, model_configs.c.deleted.is_(False))


def _readable_by(reader: UUID | None) -> ColumnElement[bool]:
    return true() if reader is None else open_to(reader)


async def _lock(conn: AsyncConnection, concerned: Sequence[UUID]) -> None:
    await conn.execute(
        select(organizations.c.id)
        .where(organizations.c.id.in_(concerned))
        .order_by(organizations.c.id)
        .with_for_update()
    )


async def _demote(conn: AsyncConnection, organization_id: UUID) -> None:
    await conn.execute(
        update(model_configs).where(_of(organization_id), model_configs.c.is_default).values(is_default=False)
    )


async def _require_provider(conn: AsyncConnection, organization_id: UUID, provider_id: UUID) -> None:
    found = await conn.scalar(
        select(ai_providers.c.id)
        .where(
            ai_providers.c.id == provider_id,
            ai_providers.c.enabled,
            ai_providers.c.deleted.is_(False),
            func.coalesce(ai_providers.c.organization_id, organization_id) == organization_id,
        )
        .with_for_update(read=True)  # it must not be deleted before we have committed
    )
    if found is None:
        raise ProviderNotUsable


async def _unless_there(conn: AsyncConnection, statement: Any) -> None:
    try:
        await conn.execute(statement)
    except IntegrityError as error:
        if SAME_MODEL in str(error.orig):
            raise ModelExists from None
        raise


async def _find(
    conn: AsyncConnection, organization_id: UUID, model_id: UUID, reader: UUID | None = None
) -> ModelRecord | None:
    result = await conn.execute(
        select(model_configs).where(
            _of(organization_id), model_configs.c.id == model_id, _readable_by(reader)
        )
    )
    row = result.mappings().one_or_none()
    return None if row is None else model_of(row)


async def _found(conn: AsyncConnection, organization_id: UUID, model_id: UUID) -> ModelRecord:
    found = await _find(conn, organization_id, model_id)
    assert found is not None, "written in this transaction"
    return found
