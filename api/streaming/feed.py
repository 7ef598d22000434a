"""One watched chat in this process: a single task that reads its rows and entries for all its readers."""

import asyncio
from collections import deque
from uuid import UUID

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.errors import ApiError
from api.gate import Gate
from api.streaming.events import Event
from api.streaming.projection import NeedsRows, Projection, change_events, joining_events, keeps_parts
from api.streaming.subscription import End, Subscription
from api.streaming.tail import Fields, Tail
from models.store.views import ChatView, Known, read_view
from models.stream import STREAM_MAX_ENTRIES, Entry, Preview, WakeUp, decode_entry, stream_key

_READ_ATTEMPTS = 5

log = structlog.get_logger("feed")


class FeedBroken(Exception):
    """The rows cannot be read."""


class Feed:
    """Turns what happens to a chat into events, once, however many readers there are.

    All its work is done in one task, in this order: readers that join, rows that changed, parts. A reader
    joins with a view of the rows; that view is taken in for everybody first, so that all readers are at
    the same version from then on and no reader is told a thing twice. Those who wait together and have the
    same messages join with one view, and share its events.
    """

    def __init__(self, chat_id: UUID, engine: AsyncEngine, tail: Tail, gate: Gate) -> None:
        self.chat_id = chat_id
        self.readers: set[Subscription] = set()
        self._engine = engine
        self._tail = tail
        self._gate = gate
        self._projection = Projection(chat_id)
        self._joining: dict[Subscription, None] = {}  # in their order
        self._previews: deque[Preview] = deque()
        self._wanted_version = 0
        self._something = asyncio.Event()

    @property
    def empty(self) -> bool:
        return not self.readers and not self._joining

    @property
    def snapshot_version(self) -> int:
        """Version of the rows that readers know."""
        return self._projection.snapshot_version

    def join(self, reader: Subscription) -> None:
        """Add a reader; the first thing it gets is the present."""
        self._joining[reader] = None
        self._something.set()

    def leave(self, reader: Subscription) -> None:
        self.readers.discard(reader)
        self._joining.pop(reader, None)

    def deliver(self, entry: Entry) -> None:
        """Take an entry of the chat's stream. Never waits: the tail has other chats, too."""
        match entry:
            case WakeUp(version):
                self._wanted_version = max(self._wanted_version, version)
            case Preview():
                # beyond the limit parts are missing until the rows bring them, as after any gap
                if len(self._previews) < STREAM_MAX_ENTRIES:
                    self._previews.append(entry)
        self._something.set()

    def end(self, reason: End) -> None:
        """Let all readers go."""
        for reader in (*self.readers, *self._joining):
            reader.end(reason)

    async def run(self) -> None:
        """Work until cancelled, or until the rows cannot be read any more."""
        try:
            entries, cursor = await self._tail.newest(stream_key(self.chat_id))
            for fields in entries:
                self._take(fields)
            await self._tail.watch(stream_key(self.chat_id), cursor, self._take)
            while True:
                await self._work()
                await self._something.wait()
                self._something.clear()
        except FeedBroken:
            self.end(End.UNAVAILABLE)
        except Exception as error:
            log.exception("feed failed", chat_id=str(self.chat_id), error=type(error).__name__)
            self.end(End.UNAVAILABLE)
        finally:
            self._tail.unwatch(stream_key(self.chat_id), self._take)

    def _take(self, fields: Fields) -> None:
        entry = _decoded(fields)
        if entry is not None:
            self.deliver(entry)

    async def _work(self) -> None:
        while True:
            if self._joining:
                await self._admit(next(iter(self._joining)).resume.message_id)
            elif self._wanted_version > self._projection.snapshot_version:
                await self._sync()
            elif not self._tell_previews():
                await self._sync_for_preview()
            else:
                return

    async def _admit(self, after_id: int) -> None:
        together = [reader for reader in self._joining if reader.resume.message_id == after_id]
        view = await self._read(after_id=after_id)
        self._take_in(view)
        self._tell_previews()
        known, parts = self._projection.position, self._projection.parts
        events: dict[bool, list[Event]] = {}
        for reader in together:
            if reader not in self._joining:
                continue  # it has left meanwhile
            del self._joining[reader]
            keeps = keeps_parts(view, reader.resume, known)
            if keeps not in events:
                events[keeps] = joining_events(self.chat_id, view, after_id, known, parts, keeps=keeps)
            reader.begin(events[keeps])
            self.readers.add(reader)

    async def _sync(self) -> None:
        self._take_in(await self._read())

    def _tell_previews(self) -> bool:
        """Tell the parts that have come in, until one belongs to rows not read yet; whether there is none."""
        while self._previews:
            try:
                events = self._projection.preview(self._previews[0])
            except NeedsRows:
                return False
            self._previews.popleft()
            self._tell(events)
        return True

    async def _sync_for_preview(self) -> None:
        await self._sync()
        try:
            self._tell(self._projection.preview(self._previews.popleft()))
        except NeedsRows:
            log.warning("stream entry ahead of the rows", chat_id=str(self.chat_id))

    def _take_in(self, view: ChatView) -> None:
        change = self._projection.take_in(view)
        if self.readers:
            self._tell(change_events(self.chat_id, change))

    def _tell(self, events: list[Event]) -> None:
        if events:
            for reader in self.readers:
                reader.offer(events)

    async def _read(self, *, after_id: int | None = None) -> ChatView:
        pause = 0.1
        for attempt in range(1, _READ_ATTEMPTS + 1):
            try:
                queue_version = 0 if after_id is not None else self._projection.queue_version
                known = Known(self._projection.history_version, queue_version, after_id)
                async with self._gate.passing():
                    view = await read_view(self._engine, self.chat_id, known)
            except (SQLAlchemyError, OSError, ApiError) as error:
                log.warning("cannot read rows", chat_id=str(self.chat_id), attempt=attempt, error=str(error))
            else:
                if view is None:
                    raise FeedBroken
                return view
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)
        raise FeedBroken


def _decoded(fields: Fields) -> Entry | None:
    try:
        return decode_entry(fields)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        log.error("unreadable stream entry")
        return None
