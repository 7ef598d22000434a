"""Whoever follows the stream of a chat of theirs reads it (spec api.md 6.1)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.errors import ApiError
from api.gate import Gate
from api.streaming.subscription import Subscription
from models.permissions import Access
from models.store.chats import ChatRecord
from models.store.read_marks import mark_read

log = structlog.get_logger("streams")


class ReadMarks:
    """Moves the marks of owners. All who ask before a chat's next write begins are served by that one."""

    def __init__(self, engine: AsyncEngine, gate: Gate) -> None:
        self._engine = engine
        self._gate = gate
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._next: dict[UUID, asyncio.Task[None]] = {}

    async def move(self, chat: ChatRecord) -> None:
        """Mark a chat as read, if the caller it was found for is its owner. Other readers leave no trace."""
        moving = self.begin(chat)
        if moving is not None:
            await asyncio.shield(moving)

    def begin(self, chat: ChatRecord) -> asyncio.Task[None] | None:
        """The same without waiting for it."""
        if chat.access is not Access.OWNER:
            return None
        moving = self._next.get(chat.id)
        if moving is None:
            moving = self._next[chat.id] = asyncio.create_task(self._write(chat, self._running.get(chat.id)))
        return moving

    async def drain(self) -> None:
        """Wait until everything asked for is written."""
        await asyncio.gather(*self._running.values(), *self._next.values(), return_exceptions=True)

    async def _write(self, chat: ChatRecord, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            async with self._gate.passing():
                # who asks from here on may know of an answer that this statement does not see
                self._running[chat.id] = self._next.pop(chat.id)
                await mark_read(self._engine, chat.owner_id, chat.id)
        except (SQLAlchemyError, OSError, ApiError) as error:
            # the next connection moves the mark; the stream itself is worth more
            log.warning("cannot mark as read", chat_id=str(chat.id), error=type(error).__name__)
        finally:
            for tasks in (self._running, self._next):
                if tasks.get(chat.id) is asyncio.current_task():
                    del tasks[chat.id]


@asynccontextmanager
async def read_along(
    marks: ReadMarks, chat: ChatRecord, subscribing: AbstractAsyncContextManager[Subscription]
) -> AsyncGenerator[Subscription]:
    """A subscription to a chat that was admitted; its owner has read it when it ends, too."""
    try:
        async with subscribing as reader:
            yield reader
    finally:
        marks.begin(chat)
