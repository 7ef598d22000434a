"""All streams of this process: which chats are watched, and the second way to hear of changes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.gate import Gate
from api.streaming.events import Position
from api.streaming.feed import Feed
from api.streaming.subscription import End, Subscription
from api.streaming.tail import Tail
from models.store.chats import read_versions
from models.stream import WakeUp
from runtime import metrics

_POLL_WITHOUT_REDIS_SECONDS = 1.0

log = structlog.get_logger("streams")


class StreamHub:
    """Subscriptions to chats.

    Wake-ups over Redis are quick but may be lost. So the versions of all watched chats are looked up in
    intervals, too, and often while Redis is away.

    Args:
        gate: What the chats' reads go through: thousands may want one at the same moment.
    """

    def __init__(self, engine: AsyncEngine, tail: Tail, gate: Gate, *, poll_interval_seconds: float) -> None:
        self._engine = engine
        self._tail = tail
        self._gate = gate
        self._poll_interval_seconds = poll_interval_seconds
        self._feeds: dict[UUID, tuple[Feed, asyncio.Task[None]]] = {}
        self._closed = False

    @property
    def watched_chats(self) -> int:
        """How many chats have at least one reader."""
        return len(self._feeds)

    async def run(self) -> None:
        """Read entries and poll until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tail.run(), name="tail")
            group.create_task(self._poll_forever(), name="poll")

    @asynccontextmanager
    async def subscribe(self, chat_id: UUID, resume: Position) -> AsyncGenerator[Subscription]:
        """Follow a chat from where the reader is. Whether it may see the chat has been found out before."""
        reader = Subscription(resume)
        feed = self._feed(chat_id)
        feed.join(reader)
        if self._closed:
            reader.end(End.SHUTDOWN)
        try:
            yield reader
        finally:
            feed.leave(reader)
            if feed.empty:
                self._drop(feed)

    def close(self) -> None:
        """End all streams, and every new one at once. Readers resume elsewhere."""
        self._closed = True
        for feed, _ in self._feeds.values():
            feed.end(End.SHUTDOWN)

    def _feed(self, chat_id: UUID) -> Feed:
        known = self._feeds.get(chat_id)
        if known is not None and not known[1].done():
            return known[0]
        feed = Feed(chat_id, self._engine, self._tail, self._gate)
        task = asyncio.create_task(feed.run(), name=f"feed {chat_id}")
        self._feeds[chat_id] = (feed, task)
        metrics.WATCHED_CHATS.set(len(self._feeds))
        return feed

    def _drop(self, feed: Feed) -> None:
        known = self._feeds.get(feed.chat_id)
        if known is not None and known[0] is feed:
            del self._feeds[feed.chat_id]
            known[1].cancel()
            metrics.WATCHED_CHATS.set(len(self._feeds))

    async def _poll_forever(self) -> None:
        tick = min(self._poll_interval_seconds, _POLL_WITHOUT_REDIS_SECONDS)
        waited = 0.0
        while True:
            await asyncio.sleep(tick)
            waited += tick
            if self._feeds and (waited >= self._poll_interval_seconds or not self._tail.up):
                waited = 0.0
                await self._poll()

    async def _poll(self) -> None:
        try:
            versions = await read_versions(self._engine, self._feeds.keys())
        except (SQLAlchemyError, OSError) as error:
            log.warning("cannot poll versions of watched chats", error=str(error))
            return
        for chat_id, version in versions.items():
            known = self._feeds.get(chat_id)
            if known is not None and version > known[0].snapshot_version:
                known[0].deliver(WakeUp(version))
