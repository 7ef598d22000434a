"""How full each user lets the context of each model get."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, delete, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.accounts import Caller
from models.store.reading import reading
from models.store.tables import compaction_thresholds, model_configs


@dataclass(frozen=True, slots=True)
class Threshold:
    """A user's own threshold for one model, in percent; 100 means never."""

    model_config_id: UUID
    threshold_percent: int


async def list_thresholds(engine: AsyncEngine, caller: Caller) -> list[Threshold]:
    """The caller's own thresholds."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(compaction_thresholds.c.model_config_id, compaction_thresholds.c.threshold_percent)
            .where(compaction_thresholds.c.user_id == caller.user_id)
            .order_by(compaction_thresholds.c.model_config_id)
        )
        return [Threshold(*row) for row in result]


async def is_enabled(engine: AsyncEngine, caller: Caller, model_config_id: UUID) -> bool | None:
    """Whether a model of one of the caller's organizations may be used; None if there is no such model."""
    async with reading(engine) as conn:
        return await conn.scalar(
            select(model_configs.c.enabled).where(
                model_configs.c.organization_id == any_(literal(caller.organization_ids, ARRAY(Uuid))),
                model_configs.c.id == model_config_id,
                model_configs.c.deleted.is_(False),
            )
        )


async def set_threshold(engine: AsyncEngine, caller: Caller, threshold: Threshold) -> None:
    """Store the caller's threshold for a model."""
    statement = insert(compaction_thresholds).values(
        user_id=caller.user_id,
        model_config_id=threshold.model_config_id,
        threshold_percent=threshold.threshold_percent,
    )
    async with reading(engine) as conn:  # one statement: it commits by itself
        await conn.execute(
            statement.on_conflict_do_update(
                index_elements=["user_id", "model_config_id"],
                set_={"threshold_percent": statement.excluded.threshold_percent},
            )
        )


async def forget_threshold(engine: AsyncEngine, caller: Caller, model_config_id: UUID) -> None:
    """Let the model's own threshold hold for the caller again."""
    async with reading(engine) as conn:
        await conn.execute(
            delete(compaction_thresholds).where(
                compaction_thresholds.c.user_id == caller.user_id,
                compaction_thresholds.c.model_config_id == model_config_id,
            )
        )
