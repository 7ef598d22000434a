"""Readers of a stream, and what writers put into it."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import httpx2
import websockets
from redis.asyncio import Redis

from models.stream import Entry, Episode, Preview, PreviewPart, WakeUp, encode_entry, stream_key
from tests.api.conftest import Door
from tests.api.served import Body, Person

PATIENCE_SECONDS = 10


class Reader:
    """Collects events; waits for what a test asks for."""

    def __init__(self) -> None:
        self.events: list[Body] = []
        self.ids: list[str] = []
        self.over = asyncio.Event()
        self._arrived = asyncio.Event()

    def add(self, event: Body, event_id: str = "") -> None:
        self.events.append(event)
        self.ids.append(event_id)
        self._arrived.set()

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def parts(self) -> list[tuple[int, int, int, str]]:
        found = [event["message_part"] for event in self.events if event["type"] == "message_part"]
        return [
            (part["history_version"], part["generation_attempt"], part["seq"], part["part"]["text"])
            for part in found
        ]

    def messages(self) -> list[int]:
        return [event["message"]["id"] for event in self.events if event["type"] == "message"]

    async def until(self, kind: str, count: int = 1) -> Body:
        """Wait until `count` events of a kind have come; the last of them."""
        if not count:
            return {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.kinds.count(kind) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return [event for event in self.events if event["type"] == kind][count - 1]


@asynccontextmanager
async def sse(
    door: Door, chat: Body, *, last_event_id: str | None = None, who: Person | None = None, **params: int
) -> AsyncGenerator[Reader]:
    reader = Reader()
    http = (who or door.owner).http
    headers = {"Accept": "text/event-stream"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id

    async def read() -> None:
        async with http.stream(
            "GET", f"/chats/{chat['id']}/stream", headers=headers, params=params, timeout=None
        ) as response:
            assert response.status_code == 200, await response.aread()
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-accel-buffering"] == "no"
            async for event in httpx2.EventSource(response):
                body = json.loads(event.data)
                assert body["type"] == event.event
                assert body["chat_id"] == chat["id"]
                reader.add(body, event.id)
        reader.over.set()

    task = asyncio.create_task(read())
    try:
        yield reader
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, httpx2.HTTPError):
            await task


def socket_url(door: Door, chat: Body, query: str = "") -> str:
    return f"{door.served.url.replace('http', 'ws')}/api/v2/chats/{chat['id']}/stream{query}"


@asynccontextmanager
async def frames(
    door: Door, chat: Body, query: str = "", **options: Any
) -> AsyncGenerator[websockets.ClientConnection]:
    """A WebSocket on the stream."""
    headers = {"Coder-Session-Token": door.owner.token}
    async with websockets.connect(
        socket_url(door, chat, query),
        additional_headers=headers,
        proxy=None,
        max_size=8 << 20,
        compression=None,
        **options,
    ) as connection:
        yield connection


def narrow_connection(door: Door) -> socket.socket:
    """A connection on which little fits before the sender has to wait."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
    address = httpx2.URL(door.served.url)
    narrow.connect((address.host, address.port))
    return narrow


async def publish(redis: Redis, chat: Body, *entries: Entry) -> None:
    for entry in entries:
        fields: Any = encode_entry(entry)
        await redis.xadd(stream_key(UUID(chat["id"])), fields)


def preview(version: int, attempt: int, first_seq: int, words: Sequence[str]) -> Preview:
    parts = [
        PreviewPart(first_seq + n, "assistant", {"type": "text", "text": word})
        for n, word in enumerate(words)
    ]
    return Preview(Episode(version, attempt), tuple(parts))


def wake(version: int) -> WakeUp:
    return WakeUp(version)
