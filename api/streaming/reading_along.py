"""Whoever follows the stream of a chat of theirs reads it (spec api.md 6.1)."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.streaming.subscription import Subscription
from models.permissions import Access
from models.store.chats import ChatRecord
from models.store.read_marks import mark_read

log = structlog.get_logger("streams")


@asynccontextmanager
async def read_along(
    engine: AsyncEngine, chat: ChatRecord, subscribing: AbstractAsyncContextManager[Subscription]
) -> AsyncGenerator[Subscription]:
    """A subscription to a chat, which is marked as read by its owner before and after. Other readers leave no
    trace."""
    await _mark(engine, chat)
    try:
        async with subscribing as reader:
            yield reader
    finally:
        await _mark(engine, chat)


async def _mark(engine: AsyncEngine, chat: ChatRecord) -> None:
    if chat.access is not Access.OWNER:
        return
    try:
        await mark_read(engine, chat.owner_id, chat.id)
    except (SQLAlchemyError, OSError) as error:
        # the next connection moves the mark; the stream itself is worth more
        log.warning("cannot mark as read", chat_id=str(chat.id), error=str(error))
