"""Open streams of those who may see them no more are ended.

A stream is let in once and lives for long. So all tokens that have streams open, and the chats that they
look at, are checked again every few seconds: one query for the process, however many streams there are.
While the database is away streams stay; they can tell nothing new then anyway.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.watching_rights import OpenStream, read_allowed

log = structlog.get_logger("streams")


class StreamGuard:
    """The open streams of this process, and how to end each."""

    def __init__(self, engine: AsyncEngine, *, interval_seconds: float) -> None:
        self._engine = engine
        self._interval_seconds = interval_seconds
        self._open: dict[OpenStream, set[Callable[[], None]]] = {}

    @asynccontextmanager
    async def watching(
        self, token_id: UUID, chat_id: UUID | None, end: Callable[[], None]
    ) -> AsyncGenerator[None]:
        """While the block runs, have `end` called once the token is good for this no more.

        Args:
            chat_id: The chat that is looked at; None: only what is the user's own.
        """
        stream = OpenStream(token_id, chat_id)
        self._open.setdefault(stream, set()).add(end)
        try:
            yield
        finally:
            ends = self._open.get(stream, set())
            ends.discard(end)
            if not ends:
                self._open.pop(stream, None)

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            await self.check()

    async def check(self) -> None:
        """End what nobody may see any more."""
        streams = list(self._open)
        if not streams:
            return
        try:
            allowed = await read_allowed(self._engine, streams)
        except (OperationalError, PoolTimeout, OSError) as error:
            log.warning("cannot check who may go on reading", error=type(error).__name__)
            return
        for stream in streams:
            if stream not in allowed:
                for end in list(self._open.get(stream, ())):
                    end()
