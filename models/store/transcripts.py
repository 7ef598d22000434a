"""What a model call needs to know of its chat."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.tables import messages


@dataclass(frozen=True, slots=True)
class TranscriptMessage:
    """One row of history as the model is to see it. `parts` are in stored form."""

    id: int
    role: str
    parts: list[dict[str, Any]]
    model_config_id: UUID | None


async def read_transcript(engine: AsyncEngine, chat_id: UUID) -> list[TranscriptMessage]:
    """The history for the next request, oldest first."""
    async with engine.connect() as conn:
        result = await conn.execute(
            select(messages.c.id, messages.c.role, messages.c.content, messages.c.model_config_id)
            .where(
                messages.c.chat_id == chat_id,
                messages.c.deleted.is_(False),
                messages.c.visibility != "user",
            )
            .order_by(messages.c.id)
        )
        return [TranscriptMessage(*row) for row in result]
