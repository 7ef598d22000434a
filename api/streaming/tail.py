"""The process's one reader of Redis: a blocking read over all streams that somebody here watches."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from runtime import metrics
from runtime.redis import open_blocking_redis, ping

BEGINNING = "0-0"

_BLOCK_SECONDS = 5.0
_MAX_ENTRIES_PER_READ = 256
_WAKE_EXPIRE_SECONDS = 3600
_MAX_PAUSE_SECONDS = 1.0

Fields = dict[bytes, bytes]
"""One entry of a stream."""

_Stored = list[tuple[bytes, Fields]]
"""Entries as the client returns them: id and fields."""

log = structlog.get_logger("tail")


@dataclass(slots=True)
class _Watch:
    cursor: str | bytes
    take: Callable[[Fields], None]


class Tail:
    """Hands the entries of watched streams to whoever watches them, in order and without a gap.

    A read that blocks knows only the streams it began with. A stream of this process's own is part of every
    read, and an entry there makes it begin anew; what arrives meanwhile is found by its cursor.

    Args:
        redis: For what does not block.

    Attributes:
        up: Whether entries are being read.
        on_loss: Called when Redis is lost: entries may be missing from then on.
    """

    def __init__(self, redis_url: str, redis: Redis) -> None:
        self.up = False
        self.on_loss: list[Callable[[], None]] = []
        self._redis = redis
        self._reader = open_blocking_redis(redis_url, block_seconds=_BLOCK_SECONDS)
        self._watches: dict[str, _Watch] = {}
        self._wake_key = f"perdure:api:{uuid4().hex}:wake"
        self._wake_cursor: str | bytes = BEGINNING
        self._waking: asyncio.Task[None] | None = None
        self._one_wake = asyncio.Lock()

    async def newest(self, key: str) -> tuple[list[Fields], str | bytes]:
        """The entries of a stream and a cursor just behind them. Without Redis: nothing, and the
        beginning, so that everything is read once it is back."""
        if not self.up:
            return [], BEGINNING
        try:
            stored: _Stored = cast(Any, await self._redis.xrange(key))
        except (RedisError, OSError):
            return [], BEGINNING
        if not stored:
            return [], BEGINNING
        return [fields for _, fields in stored], stored[-1][0]

    async def end(self, key: str) -> str | bytes | None:
        """A cursor behind the newest entry of a stream; None without Redis."""
        if not self.up:
            return None
        try:
            stored: _Stored = cast(Any, await self._redis.xrevrange(key, count=1))
        except (RedisError, OSError):
            return None
        return stored[0][0] if stored else BEGINNING

    async def watch(self, key: str, cursor: str | bytes, take: Callable[[Fields], None]) -> None:
        """Read a stream from behind `cursor` on."""
        self._watches[key] = _Watch(cursor, take)
        if not self.up:
            return  # the next read begins with it
        if self._waking is None:
            self._waking = asyncio.create_task(self._wake())
        await asyncio.shield(self._waking)

    async def _wake(self) -> None:
        """Have the read begin anew, with all streams that are watched by then: thousands of chats that are
        opened at once need few wake-ups."""
        async with self._one_wake:
            self._waking = None  # who begins to watch from here on needs another
            await self._send_wake()

    async def _send_wake(self) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.xadd(self._wake_key, {"w": ""}, maxlen=1, approximate=False)
                pipe.expire(self._wake_key, _WAKE_EXPIRE_SECONDS)
                await pipe.execute()
        except (RedisError, OSError) as error:
            log.warning("cannot wake the reader, it wakes by itself", error=str(error))

    def unwatch(self, key: str, take: Callable[[Fields], None]) -> None:
        """Stop reading a stream, unless another has taken over the watch."""
        watch = self._watches.get(key)
        if watch is not None and watch.take == take:
            del self._watches[key]

    async def run(self) -> None:
        """Read until cancelled, over every interruption."""
        pause = 0.1
        try:
            while True:
                try:
                    await ping(self._reader)
                    self._report(up=True)
                    pause = 0.1
                    while True:
                        await self._read()
                except (RedisError, OSError) as error:
                    self._report(up=False, error=error)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _MAX_PAUSE_SECONDS)
        finally:
            self.up = False
            await self._reader.aclose()

    async def _read(self) -> None:
        watches = dict(self._watches)
        streams = {key: watch.cursor for key, watch in watches.items()}
        answer: Any = await self._reader.xread(
            {**streams, self._wake_key: self._wake_cursor},
            count=_MAX_ENTRIES_PER_READ,
            block=int(_BLOCK_SECONDS * 1000),
        )
        reply: dict[bytes, _Stored] = dict(answer or ())
        for raw_key, entries in reply.items():
            key = raw_key.decode()
            if key == self._wake_key:
                self._wake_cursor = entries[-1][0]
                continue
            watch = watches[key]
            watch.cursor = entries[-1][0]
            for _, fields in entries:
                watch.take(fields)

    def _report(self, *, up: bool, error: Exception | None = None) -> None:
        if up == self.up:
            return
        self.up = up
        metrics.TAIL_UP.set(up)
        if up:
            log.info("reading live entries from Redis")
        else:
            log.warning("Redis is away; streams follow the rows until it is back", error=str(error))
            for tell in self.on_loss:
                tell()
