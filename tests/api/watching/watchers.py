"""Watchers of lists, over both transports, and a worker's hand without a worker."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import httpx2
import websockets
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.live import LiveView
from activities.transitions import Transitions
from models.store.bundle import read_state
from models.turns import Commit, Receipt
from tests.api.served import Body, Person
from workflows.chat.events import Event
from workflows.chat.machine import decide

PATIENCE_SECONDS = 10


class Watcher:
    """Collects what it is told; waits for what a test asks for."""

    def __init__(self) -> None:
        self.told: list[Body] = []
        self.over = asyncio.Event()
        self._arrived = asyncio.Event()

    def add(self, body: Body) -> None:
        self.told.append(body)
        self._arrived.set()

    def kinds(self, chat: Body | str) -> list[str]:
        chat_id = chat if isinstance(chat, str) else chat["id"]
        return [body["kind"] for body in self.told if body["chat"]["id"] == chat_id]

    def last(self, kind: str) -> Body:
        return [body for body in self.told if body["kind"] == kind][-1]

    async def until(self, what: Callable[["Watcher"], Any]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not what(self):
                self._arrived.clear()
                await self._arrived.wait()


@asynccontextmanager
async def watching(
    http: httpx2.AsyncClient, path: str = "/chats/watch", **params: str
) -> AsyncGenerator[Watcher]:
    """A watcher over server-sent events. It is connected when the block begins."""
    watcher, connected = Watcher(), asyncio.Event()

    async def read() -> None:
        async with http.stream("GET", path, params=params, timeout=None) as response:
            assert response.status_code == 200, await response.aread()
            connected.set()
            async for event in httpx2.EventSource(response):
                assert not event.id, "there is nothing to resume"
                body = json.loads(event.data)
                assert event.event == body.get("kind", "notification")
                watcher.add(body)
        watcher.over.set()

    task = asyncio.create_task(read())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            connecting = asyncio.create_task(connected.wait())
            await asyncio.wait({task, connecting}, return_when=asyncio.FIRST_COMPLETED)
            connecting.cancel()
        if task.done():
            task.result()
        yield watcher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, httpx2.HTTPError):
            await task


@asynccontextmanager
async def watching_frames(
    url: str, person: Person, path: str = "/chats/watch"
) -> AsyncGenerator[tuple[Watcher, websockets.ClientConnection]]:
    """A watcher over a WebSocket."""
    watcher = Watcher()
    async with websockets.connect(
        f"{url.replace('http', 'ws')}/api/v2{path}",
        additional_headers={"Coder-Session-Token": person.token},
        proxy=None,
        compression=None,
    ) as socket:

        async def read() -> None:
            with suppress(websockets.ConnectionClosed):
                async for frame in socket:
                    watcher.add(json.loads(frame))
            watcher.over.set()

        task = asyncio.create_task(read())
        try:
            yield watcher, socket
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


class Hand:
    """Does what a worker does for a chat, with the worker's own code, and waits until it is told."""

    def __init__(self, engine: AsyncEngine, redis: Redis) -> None:
        self.engine = engine
        self.live = LiveView(redis)
        self._rows = Transitions(engine, self.live)
        self._commands = 0

    async def apply(self, chat: Body, event: Event) -> Receipt:
        chat_id = UUID(chat["id"])
        write = decide(await read_state(self.engine, chat_id), event)
        self._commands += 1
        command = f"{chat_id}/{self._commands}"
        receipt = await self._rows.commit_transition(Commit(chat_id=chat_id, command_id=command, write=write))
        await self.live.drain()
        return receipt


async def up(http: httpx2.AsyncClient) -> None:
    """Wait until a server takes watchers: it reads from Redis."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with http.stream("GET", "/chats/watch") as response:
                if response.status_code == 200:
                    return
            await asyncio.sleep(0.05)
