"""What metrics say of a turn that ends."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.chat_state import ChatState
from models.store.bundle import COLUMNS, state_of
from models.store.configuration import PROVIDER_LABEL
from models.store.reading import reading
from models.store.tables import ai_providers, chats, model_configs


@dataclass(frozen=True, slots=True)
class TurnUnderWay:
    """The turn a chat is at, or was at last: the model the chat names, when the user's message entered
    history, and the state of the chat."""

    provider: str
    model: str
    started_at: datetime
    state: ChatState


_READ_TURN = (
    select(PROVIDER_LABEL.label("provider"), model_configs.c.model, *COLUMNS)
    .select_from(chats)
    .join(model_configs, model_configs.c.id == chats.c.last_model_config_id)
    .join(ai_providers, ai_providers.c.id == model_configs.c.ai_provider_id)
    .where(chats.c.id == bindparam("chat"))
)


async def read_turn(engine: AsyncEngine, chat_id: UUID) -> TurnUnderWay | None:
    """The turn of a chat; None if it names no model."""
    async with reading(engine) as conn:
        row = (await conn.execute(_READ_TURN, {"chat": chat_id})).mappings().one_or_none()
    if row is None:
        return None
    return TurnUnderWay(row["provider"], row["model"], row["turn_started_at"], state_of(row))
