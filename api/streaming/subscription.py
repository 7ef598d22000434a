"""One reader's end of a feed: a bounded backlog between what happens and what it can take."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from api.streaming.events import Event, Position

MAX_BACKLOG_EVENTS = 4096
MAX_BACKLOG_BYTES = 4 << 20

MAX_BATCH_EVENTS = 256
_MAX_BATCH_BYTES = 1 << 20


class End(StrEnum):
    """Why a stream ends. The reader may come back at any time and resume; one that was `interrupted` may have
    missed something, and should read the rows after it has connected again."""

    SLOW = "slow"
    SHUTDOWN = "shutdown"
    UNAVAILABLE = "unavailable"
    INTERRUPTED = "interrupted"
    EXPIRED = "expired"
    DENIED = "denied"
    CLIENT = "client"


class Subscription:
    """Events for one reader.

    Args:
        resume: Where the reader is.
    """

    def __init__(self, resume: Position = Position()) -> None:
        self.resume = resume
        self.ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._ahead = resume if resume.seq else None
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._exempt = 0
        self._bytes = 0

    @property
    def backlog(self) -> int:
        """Events that wait to be taken, but for those told first."""
        return len(self._events) - self._exempt

    def begin(self, events: Iterable[Event]) -> None:
        """Put in what a joining reader is told first. It may be long; only what follows is bounded."""
        self._events.extend(self._unheard(events))
        self._exempt = len(self._events)
        self._arrived.set()

    def offer(self, events: Iterable[Event]) -> None:
        """Add events; a reader that has let too many pile up is cut off."""
        if self.ended.done():
            return
        for one in self._unheard(events):
            self._events.append(one)
            self._bytes += len(one.body)
        if self.backlog > MAX_BACKLOG_EVENTS or self._bytes > MAX_BACKLOG_BYTES:
            self._events.clear()
            self.end(End.SLOW)
        self._arrived.set()

    def _unheard(self, events: Iterable[Event]) -> Iterable[Event]:
        """Events without the parts that the reader has from before.

        A process that has just started, or a Redis that has lost the episode, hears it from its first part
        again, behind the place where the reader resumes. Until they have caught up, ids name that place.
        """
        return events if self._ahead is None else [one for e in events if (one := self._told(e)) is not None]

    def _told(self, one: Event) -> Event | None:
        ahead = self._ahead
        if ahead is None or one.position is None:
            return one
        behind = one.position.same_episode(ahead) and one.position.seq <= ahead.seq
        if not behind:
            self._ahead = None
            return one
        if one.kind == "message_part":
            return None
        return Event(one.kind, one.body, replace(one.position, seq=ahead.seq))

    def end(self, reason: End) -> None:
        """Let the reader go."""
        if not self.ended.done():
            self.ended.set_result(reason)

    async def take(self) -> list[Event]:
        """Wait until there are events; take those that are there, up to the size of a frame."""
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        batch: list[Event] = []
        size = 0
        while self._events and len(batch) < MAX_BATCH_EVENTS and size < _MAX_BATCH_BYTES:
            one = self._events.popleft()
            batch.append(one)
            size += len(one.body)
            if self._exempt:
                self._exempt -= 1
            else:
                self._bytes -= len(one.body)
        return batch
