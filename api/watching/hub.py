"""All watched lists of one kind in this process."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.streaming.events import Event
from api.streaming.subscription import End, Subscription
from api.streaming.tail import Fields, Tail
from models.hints import Hint, decode_hint

_READ_ATTEMPTS = 5
_MAX_WAITING_HINTS = 10_000

log = structlog.get_logger("watches")

ReadEvents = Callable[[UUID, Sequence[Hint]], Awaitable[list[Event]]]
"""Reads what hints of one owner are about, and makes events of it, in their order. A hint may give none."""


class ListHub:
    """Watchers of lists. They are told what changes from now on, and nothing of before.

    Hints cannot be asked for again, so whoever may have missed one is sent away with `INTERRUPTED`, and
    nobody is taken in while Redis is lost.

    Args:
        key_of: The stream of an owner's hints.
    """

    def __init__(self, tail: Tail, key_of: Callable[[UUID], str], read: ReadEvents) -> None:
        self._tail = tail
        self._key_of = key_of
        self._read = read
        self._lists: dict[UUID, _List] = {}
        self._closed = False
        tail.on_loss.append(self._interrupt)

    @property
    def ready(self) -> bool:
        """Whether a watcher would be told of changes."""
        return self._tail.up and not self._closed

    @asynccontextmanager
    async def subscribe(self, owner_id: UUID, watcher: Subscription) -> AsyncGenerator[Subscription]:
        """Follow an owner's list. What changes once the block has begun is not missed."""
        watched = self._lists.get(owner_id)
        if watched is None:
            watched = self._lists[owner_id] = _List(owner_id, self._key_of(owner_id), self._tail, self._read)
        watched.watchers.add(watcher)
        try:
            if self._closed:
                watcher.end(End.SHUTDOWN)
            elif not await watched.followed():
                watcher.end(End.INTERRUPTED)
            yield watcher
        finally:
            watched.watchers.discard(watcher)
            if not watched.watchers:
                self._drop(watched)

    def close(self) -> None:
        """End all streams, and every new one at once."""
        self._closed = True
        for watched in self._lists.values():
            watched.end(End.SHUTDOWN)

    def _interrupt(self) -> None:
        for watched in list(self._lists.values()):
            watched.end(End.INTERRUPTED)
            self._drop(watched)

    def _drop(self, watched: "_List") -> None:
        if self._lists.get(watched.owner_id) is watched:
            del self._lists[watched.owner_id]
        watched.stop()


class _List:
    """One owner's list: a task that reads what hints are about, for all its watchers."""

    def __init__(self, owner_id: UUID, key: str, tail: Tail, read: ReadEvents) -> None:
        self.owner_id = owner_id
        self.watchers: set[Subscription] = set()
        self._key = key
        self._tail = tail
        self._read = read
        self._hints: deque[Hint] = deque()
        self._arrived = asyncio.Event()
        self._following: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"list {key}")

    async def followed(self) -> bool:
        """Wait until hints are being followed; whether they are."""
        return await asyncio.shield(self._following)

    def end(self, reason: End) -> None:
        for watcher in self.watchers:
            watcher.end(reason)

    def stop(self) -> None:
        self._tail.unwatch(self._key, self._take)
        self._task.cancel()
        if not self._following.done():
            self._following.set_result(False)

    def _take(self, fields: Fields) -> None:
        hint = decode_hint(self.owner_id, fields)
        if hint is None:
            return
        if len(self._hints) >= _MAX_WAITING_HINTS:
            self.end(End.INTERRUPTED)
            return
        self._hints.append(hint)
        self._arrived.set()

    async def _run(self) -> None:
        try:
            cursor = await self._tail.end(self._key)
            if cursor is not None:
                await self._tail.watch(self._key, cursor, self._take)
            self._following.set_result(cursor is not None and self._tail.up)
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                hints = list(self._hints)
                self._hints.clear()
                events = await self._read_patiently(hints)
                for watcher in self.watchers:
                    watcher.offer(events)
        except Exception as error:
            log.exception("list failed", owner_id=str(self.owner_id), error=type(error).__name__)
            if not self._following.done():
                self._following.set_result(False)
            self.end(End.INTERRUPTED)

    async def _read_patiently(self, hints: list[Hint]) -> list[Event]:
        pause = 0.1
        for attempt in range(1, _READ_ATTEMPTS + 1):
            try:
                return await self._read(self.owner_id, hints)
            except (SQLAlchemyError, OSError) as error:
                log.warning("cannot read changes", attempt=attempt, error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)
        self.end(End.INTERRUPTED)
        return []
