"""A thousand chats at one API process, each with a reader of its own."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from sqlalchemy import insert, select

from api.streaming.tail import Tail
from models.store.tables import chats
from runtime.redis import open_redis
from tests.api.conftest import Door
from tests.api.served import Body
from tests.api.streaming.readers import preview, publish
from tests.api.streaming.test_crowds import Raw
from tests.api.streaming.test_stream import begin
from tests.durable.rows import until

CHATS = 1000
WAVE = 100
"""So many come at once. More might be told to come again, on a machine that does other things as well."""


async def many_chats(door: Door) -> list[Body]:
    """Chats in the middle of their first step."""
    first = await door.create()
    await begin(door, first)
    async with door.engine.begin() as conn:
        row = (await conn.execute(select(chats).where(chats.c.id == UUID(first["id"])))).mappings().one()
        copies = [{**row, "id": uuid4(), "idempotency_key": None} for _ in range(CHATS - 1)]
        await conn.execute(insert(chats), copies)
    return [first, *({"id": str(copy["id"])} for copy in copies)]


async def connections(redis: Redis) -> list[dict[str, str]]:
    """Everybody who is connected to Redis."""
    return await cast(Any, redis).client_list()


def reading(clients: list[dict[str, str]]) -> int:
    """How many of them are in a read that waits."""
    return sum(client["cmd"] == "xread" for client in clients)


@asynccontextmanager
async def readers_of(door: Door, all_chats: list[Body]) -> AsyncGenerator[list[Raw]]:
    readers = [Raw(door, chat) for chat in all_chats]
    begun: list[Raw] = []
    try:
        for start in range(0, CHATS, WAVE):
            wave = readers[start : start + WAVE]
            begun += wave
            await asyncio.gather(*[reader.connect() for reader in wave])
            await asyncio.gather(*[reader.kinds(b"preview_reset") for reader in wave])
        yield readers
    finally:
        await asyncio.gather(*[reader.leave() for reader in begun])


@pytest.mark.timeout(180)
async def test_a_thousand_chats_are_followed_over_one_connection_that_reads(door: Door, redis: Redis):
    all_chats = await many_chats(door)
    before = await connections(redis)
    async with readers_of(door, all_chats) as readers:
        streams = door.served.app.state.services.streams
        assert streams.watched_chats == CHATS
        now = await connections(redis)
        assert reading(now) == reading(before), "one reads, for all of them"
        assert len(now) - len(before) <= 50, "what answers at once goes through a pool"

        async with asyncio.timeout(60):
            for chat in all_chats:
                await publish(redis, chat, preview(1, 1, 1, [chat["id"]]))
            heard = await asyncio.gather(*[reader.kinds(b"message_part") for reader in readers])
        assert heard == [[b"message_part"]] * CHATS
        for reader, chat in zip(readers[:: CHATS // 10], all_chats[:: CHATS // 10], strict=True):
            assert chat["id"] in await reader.line(), "and each hears of its own"

    async def nobody_reads() -> list[bool]:
        return [] if streams.watched_chats else [True]

    await until(nobody_reads)


async def test_a_tail_reads_on_whatever_is_watched_and_forgotten_meanwhile(door: Door, redis: Redis):
    """Every entry of a stream that stays watched arrives, while a hundred others come and go."""
    url = cast(str, door.served.app.state.services.settings.redis_url)
    commands = open_redis(url)
    tail = Tail(url, commands)
    running = asyncio.create_task(tail.run())
    stays: Body = {"id": str(uuid4())}
    heard: list[Any] = []
    key = f"perdure:chat:{stays['id']}:stream"
    try:
        await until(lambda: _up(tail))
        await tail.watch(key, "0-0", heard.append)

        async def come_and_go() -> None:
            other = f"perdure:chat:{uuid4()}:stream"
            entries: list[Any] = []
            await tail.watch(other, "0-0", entries.append)
            tail.unwatch(other, entries.append)

        async def speak() -> None:
            for number in range(1, 101):
                await publish(redis, stays, preview(1, 1, number, ["x"]))

        await asyncio.gather(speak(), *[come_and_go() for _ in range(100)])

        async def all_heard() -> list[Any]:
            return heard if len(heard) >= 100 else []

        await until(all_heard)
        assert len(heard) == 100
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await commands.aclose()


async def _up(tail: Tail) -> list[bool]:
    return [True] if tail.up else []
