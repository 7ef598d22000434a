"""What a model call needs to know of its chat."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.reading import reading
from models.store.tables import messages

_TRANSCRIPT = (
    select(messages.c.id, messages.c.role, messages.c.content, messages.c.model_config_id)
    .where(
        messages.c.chat_id == bindparam("chat"),
        messages.c.deleted.is_(False),
        messages.c.visibility != "user",
    )
    .order_by(messages.c.id)
)


@dataclass(frozen=True, slots=True)
class TranscriptMessage:
    """One row of history as the model is to see it. `parts` are in stored form."""

    id: int
    role: str
    parts: list[dict[str, Any]]
    model_config_id: UUID | None


async def read_transcript(engine: AsyncEngine, chat_id: UUID) -> list[TranscriptMessage]:
    """The history for the next request, oldest first."""
    async with reading(engine) as conn:
        result = await conn.execute(_TRANSCRIPT, {"chat": chat_id})
        return [TranscriptMessage(*row) for row in result]
