"""Many chats at one API process, each with a reader of its own. This process plays the worker: it writes
pieces to Redis as a worker does."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.processes import memory_bytes
from benchmarks.readers import Readers, Until, get, median_and_p99, stamp
from cli.stack import Stack
from models.stream import Episode, Preview, PreviewPart, encode_entry, stream_key
from runtime.database import open_engine
from runtime.redis import open_redis

_COPY = """
INSERT INTO chats
SELECT copy.* FROM chats AS one, unnest(%(ids)s::uuid[]) AS new (id),
  LATERAL jsonb_populate_record(one, jsonb_build_object(
    'id', new.id, 'idempotency_key', NULL,
    'status', 'running', 'history_version', 1, 'generation_attempt', 1)) AS copy
 WHERE one.id = %(chat)s
"""
_EPISODE = Episode(1, 1)
_ROUNDS = 20
_AT_ONCE = 200
"""Entries that go to Redis in one round trip."""


@dataclass(frozen=True)
class Crowd:
    """What so many chats with a reader each have shown.

    Attributes:
        bytes_per_reader: memory of the API for an idle reader and its chat.
        median, p99: milliseconds from a piece, one per chat, to its reader.
        pieces_per_second: handed over while all chats stream as fast as it goes.
        redis_connections: of the API and all others.
    """

    bytes_per_reader: float
    median: float
    p99: float
    pieces_per_second: float
    redis_connections: int


async def copies_of(engine: AsyncEngine, chat: str, count: int) -> list[UUID]:
    """Chats like this one, each as if it were in the middle of its first step."""
    made = [uuid4() for _ in range(count)]
    async with engine.connect() as conn:
        await conn.exec_driver_sql(_COPY, {"chat": chat, "ids": made})
    return made


async def _say(redis: Redis, of: Sequence[UUID], seq: int) -> None:
    """A piece for each of these chats."""
    for start in range(0, len(of), _AT_ONCE):
        async with redis.pipeline(transaction=False) as pipe:
            for chat in of[start : start + _AT_ONCE]:
                part = PreviewPart(seq, "assistant", {"type": "text", "text": stamp()})
                fields: Any = encode_entry(Preview(_EPISODE, (part,)))
                pipe.xadd(stream_key(chat), fields)
            await pipe.execute()


async def measure(stack: Stack, chat: str, count: int) -> Crowd:
    """Follow so many chats at once.

    Args:
        chat: One at rest, to be copied.
    """
    engine, redis = open_engine(stack.database_url, pool_size=2), open_redis(stack.redis_url)
    api = {"api": stack.pid("api")}
    try:
        made = await copies_of(engine, chat, count)
        requests = [get(f"/api/v2/chats/{one}/stream", stack.token or "") for one in made]
        before = memory_bytes(api)
        readers = Readers(requests, stack.api_url, Until(pieces=1 + _ROUNDS))
        await readers.connected()
        await asyncio.sleep(2)
        memory = (memory_bytes(api) - before) / count
        connections = len(await cast(Any, redis).client_list())
        await _say(redis, made, 1)
        await asyncio.sleep(3)
        began = time.perf_counter()
        for number in range(_ROUNDS):
            await _say(redis, made, 2 + number)
        delays = await readers.delays()
        seconds = time.perf_counter() - began
        # each reader's first delay is that of the quiet round
        median, p99 = median_and_p99(delays[:: 1 + _ROUNDS])
        return Crowd(memory, median, p99, count * _ROUNDS / seconds, connections)
    finally:
        await redis.aclose()
        await engine.dispose()
