"""What a model call needs to know of its chat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.reading import reading
from models.store.tables import messages

NEWEST_BOUNDARY = (
    select(func.coalesce(func.max(messages.c.id), 0))
    .where(
        messages.c.chat_id == bindparam("chat"),
        messages.c.compressed,
        messages.c.visibility == "model",
        messages.c.deleted.is_(False),
    )
    .scalar_subquery()
)
"""Id of the row that stands for all before it; 0 where there is none."""

_TRANSCRIPT = (
    select(
        messages.c.id,
        messages.c.role,
        messages.c.content,
        messages.c.model_config_id,
        messages.c.created_by,
        messages.c.compressed,
        messages.c.usage,
        messages.c.provider_response_id,
    )
    .where(
        messages.c.chat_id == bindparam("chat"),
        messages.c.deleted.is_(False),
        messages.c.visibility != "user",
        or_(
            messages.c.role == "system",
            messages.c.id == NEWEST_BOUNDARY,
            and_(messages.c.compressed.is_(False), messages.c.id > NEWEST_BOUNDARY),
        ),
    )
    .order_by(messages.c.id)
)


@dataclass(frozen=True, slots=True)
class TranscriptMessage:
    """One row of history as the model is to see it. `parts` are in stored form; `boundary` marks the row
    that stands for everything before it. `provider_response_id` is there only where the vendor remembers."""

    id: int
    role: str
    parts: list[dict[str, Any]]
    model_config_id: UUID | None
    created_by: UUID | None = None
    boundary: bool = False
    usage: dict[str, int] | None = None
    provider_response_id: str | None = None


async def read_transcript(engine: AsyncEngine, chat_id: UUID) -> list[TranscriptMessage]:
    """The history for the next request, oldest first: system prompts, then all since the newest boundary."""
    async with reading(engine) as conn:
        result = await conn.execute(_TRANSCRIPT, {"chat": chat_id})
        return [TranscriptMessage(*row) for row in result]


def unanswered(transcript: Sequence[TranscriptMessage]) -> list[TranscriptMessage]:
    """The user messages at the end, which nobody has answered yet."""
    count = 0
    for row in reversed(transcript):
        if row.role != "user" or row.boundary:
            break
        count += 1
    return list(transcript[len(transcript) - count :])
