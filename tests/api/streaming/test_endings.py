"""How streams end that no client ends: its reader is too slow, gone without a word, or there too long."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
import websockets
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from api.streaming import serving, subscription
from runtime.settings import Settings
from tests.api.conftest import Door
from tests.api.served import Body, client, served
from tests.api.streaming.readers import PATIENCE_SECONDS, frames, narrow_connection, preview, publish, sse
from tests.api.streaming.test_stream import all_frames, begin
from tests.durable.rows import until

BIG = "x" * 1_000_000


@asynccontextmanager
async def bare(door: Door, chat: Body) -> AsyncGenerator[asyncio.StreamReader]:
    """A reader of server-sent events that reads only when told to, behind a narrow connection."""
    narrow = narrow_connection(door)
    narrow.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=narrow, limit=1 << 16)
    request = f"GET /api/v2/chats/{chat['id']}/stream HTTP/1.1\r\nHost: bare\r\n"
    writer.write(f"{request}Authorization: Bearer {door.owner.token}\r\n\r\n".encode())
    try:
        yield reader
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def open_streams() -> float:
    """What the process's metrics say."""
    gauges = [
        REGISTRY.get_sample_value("perdure_api_streams", {"transport": t}) for t in ("sse", "websocket")
    ]
    return sum(value or 0.0 for value in gauges)


async def nobody_left(door: Door) -> list[Any]:
    """Something, once the process knows of no reader any more."""
    watched = door.served.app.state.services.streams.watched_chats
    return [] if watched or open_streams() else [True]


async def test_a_slow_reader_of_events_is_cut_off_and_told_why(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    async with asyncio.timeout(30), sse(door, chat) as quick, bare(door, chat) as reader:
        await reader.readuntil(b"event: status")
        await quick.until("status")
        for attempt in range(2, 20):
            await begin(door, chat)
            await publish(redis, chat, preview(1, attempt, 1, [BIG]))
            await quick.until("message_part", attempt - 1)
        told = b""
        while b": over (" not in told:
            told = told[-100:] + await reader.read(1 << 16)
        assert b": over (slow), connect again" in told
        assert not quick.over.is_set(), "others read on"


async def test_a_reader_that_takes_nothing_any_more_is_let_go(
    door: Door, redis: Redis, monkeypatch: pytest.MonkeyPatch
):
    await until(lambda: nobody_left(door))
    monkeypatch.setattr(serving, "SEND_SECONDS", 0.3)
    monkeypatch.setattr(subscription, "MAX_BACKLOG_BYTES", 1 << 30)
    chat = await door.create()
    await begin(door, chat)
    narrow = narrow_connection(door)
    async with bare(door, chat) as reader, frames(door, chat, sock=narrow, max_queue=1) as socket:
        await reader.readuntil(b"event: status")
        await socket.recv()
        # more than the system keeps for a reader
        for attempt in range(2, 20):
            await begin(door, chat)
            await publish(redis, chat, preview(1, attempt, 1, [BIG]))
        await until(lambda: nobody_left(door))


async def somebody_there(door: Door) -> list[Any]:
    return [] if await nobody_left(door) else [True]


@asynccontextmanager
async def where_life_is_short(settings: Settings, door: Door, seconds: float = 1.0) -> AsyncGenerator[Door]:
    """The same people at an API whose streams live for so long."""
    async with (
        served(settings.model_copy(update={"stream_life_seconds": seconds})) as api,
        client(api.url, door.owner.token) as http,
    ):
        yield replace(door, served=api, owner=replace(door.owner, http=http))


@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_a_connection_that_a_proxy_keeps_open_is_let_go_when_its_life_is_over(
    door: Door, settings: Settings, transport: str
):
    await until(lambda: nobody_left(door))
    chat = await door.create()
    async with where_life_is_short(settings, door) as brief:
        # looks from before it comes: on a busy machine its life is over before its first event is read
        came = asyncio.create_task(until(lambda: somebody_there(brief)))
        if transport == "sse":
            async with bare(brief, chat) as reader:
                await came
                await until(lambda: nobody_left(brief))
                assert b": over (expired), connect again" in await reader.readuntil(b"connect again")
        else:
            async with frames(brief, chat) as socket:
                await came
                await until(lambda: nobody_left(brief))
                with pytest.raises(websockets.ConnectionClosed):
                    await all_frames(socket)
                assert socket.close_code == 1000


@pytest.mark.parametrize("path", ["/chats/watch", "/notifications/inbox/watch"])
async def test_lists_are_watched_no_longer_than_chats(door: Door, settings: Settings, path: str):
    async with where_life_is_short(settings, door) as brief:

        async def follow() -> list[bool]:
            """Taken in once the process reads live entries."""
            async with brief.owner.http.stream("GET", path, timeout=None) as answer:
                told = b"".join([piece async for piece in answer.aiter_bytes()])
            if answer.status_code == 503:
                return []
            return [b": over (expired), connect again" in told]

        assert await until(follow) == [True]


async def test_a_reader_whose_life_is_over_goes_on_where_it_was(door: Door, settings: Settings, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    await publish(redis, chat, preview(1, 1, 1, ["a", "b"]))  # before its life begins
    async with where_life_is_short(settings, door, 3.0) as brief, sse(brief, chat) as first:
        await first.until("message_part", 2)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await first.over.wait()
    async with sse(door, chat, last_event_id=first.ids[-1]) as second:
        await second.until("status")
        await publish(redis, chat, preview(1, 1, 3, ["c"]))
        await second.until("message_part")
    assert [part[2] for part in (*first.parts(), *second.parts())] == [1, 2, 3]
    assert second.messages() == []


async def test_a_silent_stream_of_events_shows_that_it_is_alive(door: Door, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(serving, "HEARTBEAT_SECONDS", 0.05)
    chat = await door.create()
    async with asyncio.timeout(PATIENCE_SECONDS), bare(door, chat) as reader:
        for _ in range(3):
            await reader.readuntil(b": still here\n")


async def test_readers_that_vanish_leave_nothing_behind(door: Door):
    await until(lambda: nobody_left(door))
    chats = [await door.create() for _ in range(3)]
    async with AsyncExitStack() as readers:
        for chat in chats * 10:
            await readers.enter_async_context(bare(door, chat))
        await until(lambda: _streams(30))
    await until(lambda: nobody_left(door))


async def _streams(number: int) -> list[bool]:
    return [True] if open_streams() == number else []
