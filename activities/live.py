"""Writing the live view: wake-ups after commits, parts of the step in flight, orders to stop.

Redis may be slow or gone at any time. Nothing here raises for that: readers find everything committed in
Postgres, and a writer that lost its episode publishes it again from the start.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from activities.answer import merge
from models.hints import Hint
from models.stream import (
    EPISODE_MAX_BYTES,
    STOP_CHANNEL,
    STREAM_EXPIRE_SECONDS,
    STREAM_MAX_ENTRIES,
    Entry,
    Episode,
    Preview,
    PreviewPart,
    Role,
    Stop,
    WakeUp,
    decode_entry,
    encode_entry,
    stream_key,
)
from runtime.hints import HintWriter, add_hints

log = structlog.get_logger(__name__)

_PAUSE_AFTER_FAILURE_SECONDS = 0.25
"""A Redis that did not answer is left alone for this long, so that it slows nobody down."""

_BATCH_SECONDS_PER_STREAM = 0.005
_MAX_BATCH_SECONDS = 0.04


class LiveView:
    """The Redis side of all chats a worker process works on."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._hints = HintWriter(redis)
        self._quiet_until = 0.0
        self._streaming = 0
        self._sending: set[asyncio.Task[object]] = set()

    def wake(self, chat_id: UUID, snapshot_version: int, hints: Sequence[Hint] = ()) -> None:
        """Tell readers that the rows changed, and the owner's lists in what way. Does not wait for Redis."""
        self._send(self._wake(chat_id, snapshot_version, hints))

    def wake_committed(self, chat_id: UUID, snapshot_version: int, hints: Sequence[Hint] = ()) -> None:
        """The same after a step's commit: what was streamed is in the rows now and leaves the stream."""
        self._send(self._wake(chat_id, snapshot_version, hints, keep=1))

    def hint(self, *hints: Hint) -> None:
        """Tell the owner's lists of a change that concerns no reader of the chat. Does not wait for Redis."""
        self._hints.send(*hints)

    def show(self, chat_id: UUID, preview: Preview) -> None:
        """Show parts that are not in the rows yet. Does not wait for Redis."""
        self._send(self.append(chat_id, preview))

    def stop(self, chat_id: UUID, turn: int, snapshot_version: int, hints: Sequence[Hint] = ()) -> None:
        """Order whoever streams this turn to stop, and wake readers. Does not wait for Redis."""
        self._send(self._wake(chat_id, snapshot_version, hints, order=Stop(chat_id, turn)))

    async def _wake(
        self,
        chat_id: UUID,
        snapshot_version: int,
        hints: Sequence[Hint],
        *,
        keep: int = STREAM_MAX_ENTRIES,
        order: Stop | None = None,
    ) -> None:
        """Send a wake-up; one that Redis did not take is sent again after its pause, once. A Redis that is
        away for longer has its readers look at the rows by themselves."""
        if not await self.append(chat_id, WakeUp(snapshot_version), keep=keep, order=order, hints=hints):
            await asyncio.sleep(2 * _PAUSE_AFTER_FAILURE_SECONDS)
            await self.append(chat_id, WakeUp(snapshot_version), hints=hints)

    def _send(self, sending: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(sending)
        self._sending.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._sending.discard)

    async def drain(self) -> None:
        """Wait until all that was sent has arrived or failed."""
        await asyncio.gather(*self._sending)
        await self._hints.drain()

    async def append(
        self,
        chat_id: UUID,
        entry: Entry,
        *,
        keep: int = STREAM_MAX_ENTRIES,
        order: Stop | None = None,
        hints: Sequence[Hint] = (),
    ) -> int:
        """Add an entry to a chat's stream, leaving at most `keep` entries.

        Returns:
            How many entries the stream holds then; 0 if Redis did not take this one.
        """
        now = asyncio.get_running_loop().time()
        if now < self._quiet_until:
            return 0
        key = stream_key(chat_id)
        fields: Any = encode_entry(entry)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                if order is not None:
                    cast(Any, pipe).publish(STOP_CHANNEL, order.encode())
                add_hints(pipe, hints)
                pipe.xadd(key, fields, maxlen=keep, approximate=keep > 1)
                pipe.expire(key, STREAM_EXPIRE_SECONDS)
                pipe.xlen(key)
                return (await pipe.execute())[-1]
        except (RedisError, OSError) as err:
            self._quiet_until = now + _PAUSE_AFTER_FAILURE_SECONDS
            log.warning("live view not reached", error=type(err).__name__)
            return 0

    async def read(self, chat_id: UUID) -> list[tuple[datetime, Entry]]:
        """What a chat's stream holds, each entry with the time at which it came; nothing where Redis does not
        answer."""
        if asyncio.get_running_loop().time() < self._quiet_until:
            return []
        client: Any = self._redis
        try:
            found: list[tuple[bytes, dict[bytes, bytes]]] = await client.xrange(stream_key(chat_id))
        except (RedisError, OSError) as err:
            log.warning("live view not read", error=type(err).__name__)
            return []
        entries = ((_time_of(entry_id), decode_entry(fields)) for entry_id, fields in found)
        return [(at, entry) for at, entry in entries if entry is not None]

    def open_episode(self, chat_id: UUID, episode: Episode) -> "EpisodeWriter":
        self._streaming += 1
        return EpisodeWriter(self, chat_id, episode)

    def close_episode(self) -> None:
        self._streaming -= 1

    @property
    def batch_seconds(self) -> float:
        """How long deltas of one chat are gathered: not at all when one chat streams, up to 40 ms when
        many do. A write per token costs more than the rest of the turn."""
        return min(_MAX_BATCH_SECONDS, _BATCH_SECONDS_PER_STREAM * (self._streaming - 1))


class EpisodeWriter:
    """Publishes the parts of one attempt, numbered and in order, while it goes on.

    Parts that wait to be sent are merged where they continue each other. All that was sent is kept
    (bounded): when the stream turns out shorter than what was written to it, Redis has lost it and gets
    the episode again from `seq` 1; readers drop what they have.
    """

    def __init__(self, live: LiveView, chat_id: UUID, episode: Episode) -> None:
        self._live = live
        self._chat_id = chat_id
        self._episode = episode
        self._waiting: list[tuple[Role, dict[str, Any]]] = []
        self._parts: list[PreviewPart] = []
        self._sent = 0
        self._entries = 0
        self._bytes = 0
        self._closing = False
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._last_flush = 0.0
        self._task = asyncio.create_task(self._run())

    def add(self, role: Role, part: dict[str, Any]) -> None:
        """Take a part for publication. Returns at once."""
        if self._bytes > EPISODE_MAX_BYTES:
            return
        merged = None
        if self._waiting and self._waiting[-1][0] == role:
            merged = merge(self._waiting[-1][1], part)
        if merged is not None:
            self._waiting[-1] = (role, merged)
        else:
            self._waiting.append((role, part))
        self._flush_at(self._last_flush + self._live.batch_seconds)

    async def close(self) -> None:
        """Publish what still waits and end."""
        self._closing = True
        self._due.set()
        await self._task
        self._end()

    def abandon(self) -> None:
        """End without publishing the rest."""
        self._task.cancel()
        self._end()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._live.close_episode()

    def _flush_at(self, moment: float) -> None:
        if self._timer is None and not self._due.is_set():
            self._timer = asyncio.get_running_loop().call_at(moment, self._due.set)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closing:
            await self._due.wait()
            self._due.clear()
            self._timer = None
            self._last_flush = loop.time()
            if not await self._flush():
                self._flush_at(loop.time() + _PAUSE_AFTER_FAILURE_SECONDS)
        await self._flush()  # what came while the last one was under way

    async def _flush(self) -> bool:
        for role, part in self._waiting:
            self._parts.append(PreviewPart(len(self._parts) + 1, role, part))
            self._bytes += _weight(part)
        self._waiting.clear()
        unsent = self._parts[self._sent :]
        if not unsent:
            return True
        keep = STREAM_MAX_ENTRIES if self._sent else 1  # the first entry clears what an earlier attempt left
        held = await self._live.append(self._chat_id, Preview(self._episode, tuple(unsent)), keep=keep)
        self._entries = self._entries + 1 if self._sent else 1
        whole = held >= min(self._entries, STREAM_MAX_ENTRIES)
        self._sent = len(self._parts) if whole else 0
        return whole


def _time_of(entry_id: bytes) -> datetime:
    """Redis names an entry by the milliseconds at which it came."""
    return datetime.fromtimestamp(int(entry_id.split(b"-")[0]) / 1000, UTC)


def _weight(part: dict[str, Any]) -> int:
    return sum(len(value) for value in part.values() if isinstance(value, str))
