"""Which model is used for one purpose, instead of the default (spec api.md section 12)."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.audit import Change, write_change
from models.store.configuration import Override
from models.store.reading import reading, transaction
from models.store.tables import member_model_overrides, model_configs, model_overrides


@dataclass(frozen=True, slots=True)
class MemberOverride:
    """What a member wants for one kind of chat. `override` is there with mode `model` only."""

    mode: str
    override: Override | None


async def set_override(
    engine: AsyncEngine,
    organization_id: UUID,
    context: str,
    override: Override | None,
    change: Change | None = None,
) -> None:
    """Store an organization's model for a purpose; None lets the default serve it again."""
    async with transaction(engine) as conn:
        if override is None:
            await conn.execute(
                delete(model_overrides).where(
                    model_overrides.c.organization_id == organization_id, model_overrides.c.context == context
                )
            )
        else:
            values = {"model_config_id": override.model_config_id, "reasoning_effort": override.effort}
            statement = insert(model_overrides).values(
                organization_id=organization_id, context=context, **values
            )
            await conn.execute(
                statement.on_conflict_do_update(index_elements=["organization_id", "context"], set_=values)
            )
        await write_change(conn, change)


async def read_member_overrides(
    engine: AsyncEngine, organization_id: UUID, user_id: UUID
) -> dict[str, MemberOverride]:
    """What a member has set, by context. A model that was deleted counts as not set."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(member_model_overrides)
            .outerjoin(model_configs, model_configs.c.id == member_model_overrides.c.model_config_id)
            .where(
                member_model_overrides.c.organization_id == organization_id,
                member_model_overrides.c.user_id == user_id,
                model_configs.c.deleted.is_not(True),
            )
        )
        return {
            row.context: MemberOverride(
                row.mode,
                Override(row.model_config_id, row.reasoning_effort) if row.model_config_id else None,
            )
            for row in result
        }


async def set_member_override(
    engine: AsyncEngine,
    organization_id: UUID,
    user_id: UUID,
    context: str,
    wanted: MemberOverride,
    change: Change | None = None,
) -> None:
    """Store what a member wants."""
    values = {
        "mode": wanted.mode,
        "model_config_id": wanted.override.model_config_id if wanted.override else None,
        "reasoning_effort": wanted.override.effort if wanted.override else None,
    }
    statement = insert(member_model_overrides).values(
        user_id=user_id, organization_id=organization_id, context=context, **values
    )
    async with transaction(engine) as conn:
        await conn.execute(
            statement.on_conflict_do_update(
                index_elements=["user_id", "organization_id", "context"], set_=values
            )
        )
        await write_change(conn, change)
