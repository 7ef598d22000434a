"""The process's one reader of Redis: a blocking read over the streams of all watched chats."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from models.stream import Entry, decode_entry, stream_key
from runtime import metrics
from runtime.redis import open_blocking_redis, ping

BEGINNING = "0-0"

_BLOCK_SECONDS = 5.0
_MAX_ENTRIES_PER_READ = 256
_WAKE_EXPIRE_SECONDS = 3600
_MAX_PAUSE_SECONDS = 1.0

_Stored = list[tuple[bytes, dict[bytes, bytes]]]
"""Entries as the client returns them: id and fields."""

log = structlog.get_logger("tail")


@dataclass(slots=True)
class _Watch:
    cursor: str | bytes
    deliver: Callable[[Entry], None]


class Tail:
    """Hands the entries of watched chats to whoever watches them, in order and without a gap.

    A read that blocks knows only the chats it began with. A stream of this process's own is part of every
    read, and an entry there makes it begin anew; what arrives meanwhile is found by its cursor.

    Args:
        redis: For what does not block.
    """

    def __init__(self, redis_url: str, redis: Redis) -> None:
        self.up = False
        self._redis = redis
        self._reader = open_blocking_redis(redis_url, block_seconds=_BLOCK_SECONDS)
        self._watches: dict[str, _Watch] = {}
        self._wake_key = f"perdure:api:{uuid4().hex}:wake"
        self._wake_cursor: str | bytes = BEGINNING

    async def newest(self, chat_id: UUID) -> tuple[list[Entry], str | bytes]:
        """The entries of a chat's stream and a cursor just behind them. Without Redis: nothing, and the
        beginning, so that everything is read once it is back."""
        if not self.up:
            return [], BEGINNING
        try:
            stored: _Stored = cast(Any, await self._redis.xrange(stream_key(chat_id)))
        except (RedisError, OSError):
            return [], BEGINNING
        if not stored:
            return [], BEGINNING
        return [entry for _, fields in stored if (entry := _decoded(fields))], stored[-1][0]

    async def watch(self, chat_id: UUID, cursor: str | bytes, deliver: Callable[[Entry], None]) -> None:
        """Read a chat's stream from behind `cursor` on."""
        self._watches[stream_key(chat_id)] = _Watch(cursor, deliver)
        if not self.up:
            return  # the next read begins with it
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.xadd(self._wake_key, {"w": ""}, maxlen=1, approximate=False)
                pipe.expire(self._wake_key, _WAKE_EXPIRE_SECONDS)
                await pipe.execute()
        except (RedisError, OSError) as error:
            log.warning("cannot wake the reader, it wakes by itself", error=str(error))

    def unwatch(self, chat_id: UUID, deliver: Callable[[Entry], None]) -> None:
        """Stop reading a chat's stream, unless another has taken over the watch."""
        watch = self._watches.get(stream_key(chat_id))
        if watch is not None and watch.deliver == deliver:
            del self._watches[stream_key(chat_id)]

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
                entry = _decoded(fields)
                if entry is not None:
                    watch.deliver(entry)

    def _report(self, *, up: bool, error: Exception | None = None) -> None:
        if up == self.up:
            return
        self.up = up
        metrics.TAIL_UP.set(up)
        if up:
            log.info("reading live entries from Redis")
        else:
            log.warning("Redis is away; streams follow the rows until it is back", error=str(error))


def _decoded(fields: dict[bytes, bytes]) -> Entry | None:
    try:
        return decode_entry(fields)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        log.error("unreadable stream entry")
        return None
