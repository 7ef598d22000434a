"""Reads of history and queue, as clients see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.reading import reading, transaction
from models.store.tables import messages, queued_messages

_PROMPTS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """One row of history. `content` holds parts in stored form."""

    id: int
    chat_id: UUID
    role: str
    content: list[dict[str, Any]]
    created_by: UUID | None
    model_config_id: UUID | None
    usage: dict[str, int] | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class QueuedRecord:
    """One message that waits for the running turn to end."""

    id: int
    chat_id: UUID
    content: list[dict[str, Any]]
    model_config_id: UUID
    created_at: datetime


MESSAGE_COLUMNS = (
    messages.c.id,
    messages.c.chat_id,
    messages.c.role,
    messages.c.content,
    messages.c.created_by,
    messages.c.model_config_id,
    messages.c.usage,
    messages.c.created_at,
)

PUBLIC: tuple[ColumnElement[bool], ...] = (messages.c.deleted.is_(False), messages.c.visibility != "model")
"""What may leave the server: neither deleted rows nor those meant for the model alone."""

ANSWERS: tuple[ColumnElement[bool], ...] = (messages.c.role == "assistant", *PUBLIC)
"""What an owner may not have read yet."""


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in the order asked for. `has_more`: there are others further in that direction."""

    messages: list[MessageRecord]
    has_more: bool


async def read_page(
    engine: AsyncEngine, chat_id: UUID, *, before_id: int | None, after_id: int | None, limit: int
) -> Page:
    """Visible history, newest first; oldest first when only `after_id` is given, so that a reader who
    follows a chat misses nothing of a burst longer than the page."""
    oldest_first = after_id is not None and before_id is None
    query = (
        select(*MESSAGE_COLUMNS)
        .where(messages.c.chat_id == chat_id, *PUBLIC)
        .order_by(messages.c.id if oldest_first else messages.c.id.desc())
        .limit(limit + 1)
    )
    if before_id is not None:
        query = query.where(messages.c.id < before_id)
    if after_id is not None:
        query = query.where(messages.c.id > after_id)
    async with reading(engine) as conn:
        rows = [MessageRecord(*row) for row in await conn.execute(query)]
    return Page(rows[:limit], len(rows) > limit)


async def read_messages(engine: AsyncEngine, chat_id: UUID, ids: Sequence[int]) -> list[MessageRecord]:
    """These rows, oldest first, those included that were deleted since: a repeated request is told what the
    first one did."""
    if not ids:
        return []
    async with reading(engine) as conn:
        result = await conn.execute(
            select(*MESSAGE_COLUMNS)
            .where(messages.c.chat_id == chat_id, messages.c.id.in_(ids), messages.c.visibility != "model")
            .order_by(messages.c.id)
        )
        return [MessageRecord(*row) for row in result]


async def find_role(engine: AsyncEngine, chat_id: UUID, message_id: int) -> str | None:
    """Who said a message; None if the chat has no such message, or none that a user may see."""
    async with reading(engine) as conn:
        return await conn.scalar(
            select(messages.c.role).where(messages.c.chat_id == chat_id, messages.c.id == message_id, *PUBLIC)
        )


async def read_deleted_ids(engine: AsyncEngine, chat_id: UUID, revision: int) -> list[int]:
    """The visible messages that this revision of the chat has deleted, oldest first."""
    async with reading(engine) as conn:
        result = await conn.scalars(
            select(messages.c.id)
            .where(
                messages.c.chat_id == chat_id,
                messages.c.revision == revision,
                messages.c.deleted,
                messages.c.visibility != "model",
            )
            .order_by(messages.c.id)
        )
        return list(result)


async def read_prompts(engine: AsyncEngine, chat_id: UUID, limit: int) -> list[tuple[int, str]]:
    """What the user has said, newest first: ids and texts. Messages without a text do not count."""
    query = (
        select(messages.c.id, messages.c.content)
        .where(messages.c.chat_id == chat_id, messages.c.role == "user", *PUBLIC)
        .order_by(messages.c.id.desc())
        .execution_options(yield_per=_PROMPTS_AT_ONCE)
    )
    prompts: list[tuple[int, str]] = []
    # a cursor, which needs a transaction: nobody knows before how many rows it takes
    async with transaction(engine) as conn, conn.stream(query) as rows:
        async for message_id, content in rows:
            text = "".join(part["text"] for part in content if part["type"] == "text")
            if text.strip():
                prompts.append((message_id, text))
            if len(prompts) == limit:
                break
    return prompts


async def read_queue(engine: AsyncEngine, chat_id: UUID) -> list[QueuedRecord]:
    """The queue, next first."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(
                queued_messages.c.id,
                queued_messages.c.chat_id,
                queued_messages.c.content,
                queued_messages.c.model_config_id,
                queued_messages.c.created_at,
            )
            .where(queued_messages.c.chat_id == chat_id)
            .order_by(queued_messages.c.position, queued_messages.c.id)
        )
        return [QueuedRecord(*row) for row in result]
