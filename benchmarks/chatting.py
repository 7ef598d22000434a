"""A light client: one connection for requests, one WebSocket for the stream."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

import httpx2
import orjson
from websockets.asyncio.client import ClientConnection, connect

Event = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """Seconds from sending the request to the first part, and to the committed answer of a resting chat."""

    first_part_seconds: float
    seconds: float


@dataclass(frozen=True)
class Interrupted:
    """Seconds from sending the interrupt to the last part, and to the committed partial answer."""

    last_part_seconds: float
    kept_seconds: float


class Server(Protocol):
    """Where an API is, and whom it lets in."""

    @property
    def api_url(self) -> str: ...

    @property
    def token(self) -> str | None: ...


class Chatter:
    """One chat and its reader."""

    def __init__(self, stack: Server) -> None:
        self._url = f"{stack.api_url}/api/v2"
        self._headers = {"Coder-Session-Token": stack.token or ""}
        self._http = httpx2.AsyncClient(headers=self._headers, timeout=60)
        self._socket: ClientConnection | None = None
        self._chat = ""
        self._ahead: deque[Event] = deque()
        self._episode = (0, 0)

    async def open(self, text: str) -> None:
        """Create the chat, connect the reader, and wait for the first answer."""
        me = (await self._http.get(f"{self._url}/users/me")).json()
        body = {"organization_id": me["organization_ids"][0], "content": [{"type": "text", "text": text}]}
        answer = await self._http.post(f"{self._url}/chats", json=body)
        answer.raise_for_status()
        self._chat = answer.json()["id"]
        address = f"{self._url.replace('http', 'ws', 1)}/chats/{self._chat}/stream"
        self._socket = await connect(address, additional_headers=self._headers, compression=None)
        await self._until_rest(time.perf_counter())

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        await self._http.aclose()

    async def say(self, text: str) -> None:
        """Send a message."""
        answer = await self._http.post(
            f"{self._url}/chats/{self._chat}/messages",
            content=orjson.dumps({"content": [{"type": "text", "text": text}]}),
            headers={"Content-Type": "application/json", "Idempotency-Key": str(uuid4())},
        )
        answer.raise_for_status()

    async def turn(self, text: str) -> Turn:
        """Send a message and read until the chat rests with its answer."""
        began = time.perf_counter()
        saying = asyncio.create_task(self.say(text))
        turn = await self._until_rest(began)
        await saying
        return turn

    async def answered_at(self) -> list[datetime]:
        """When each of the model's answers was committed, oldest first."""
        return [
            datetime.fromisoformat(message["created_at"])
            for message in await self.history()
            if message["role"] == "assistant"
        ]

    async def history(self) -> list[dict[str, Any]]:
        """All messages, oldest first."""
        found: list[dict[str, Any]] = []
        more = True
        while more:
            asked = {"limit": 200, **({"before_id": found[-1]["id"]} if found else {})}
            answer = await self._http.get(f"{self._url}/chats/{self._chat}/messages", params=asked)
            page = answer.raise_for_status().json()
            found += page["messages"]
            more = page["has_more"]
        return found[::-1]

    async def look(self) -> None:
        """Read the chat."""
        (await self._http.get(f"{self._url}/chats/{self._chat}")).raise_for_status()

    async def interrupt(self) -> Interrupted:
        """Interrupt the turn and read until the chat rests."""
        began = time.perf_counter()
        asking = asyncio.create_task(self._http.post(f"{self._url}/chats/{self._chat}/interrupt"))
        last_part = kept = began
        async for event in self._events():
            if event["type"] == "message_part":
                last_part = time.perf_counter()
            if event["type"] == "message" and event["message"]["role"] == "assistant":
                kept = time.perf_counter()
            if event["type"] == "status" and event["status"]["status"] == "waiting":
                break
        (await asking).raise_for_status()
        return Interrupted(last_part - began, kept - began)

    async def until_parts(self, count: int) -> None:
        """Read until so many parts of an answer have come."""
        async for event in self._events():
            if event["type"] == "message_part":
                self._episode = _episode_of(event)
                count -= 1
            if count == 0:
                return

    async def until_running(self) -> None:
        async for event in self._events():
            if event["type"] == "status" and event["status"]["status"] == "running":
                return

    async def until_new_episode(self) -> None:
        """Read until a part of another attempt than the one `until_parts` saw."""
        async for event in self._events():
            if event["type"] == "message_part" and _episode_of(event) > self._episode:
                return

    async def _until_rest(self, began: float) -> Turn:
        first: float | None = None
        answered = False
        async for event in self._events():
            match event:
                case {"type": "message_part"}:
                    first = first or time.perf_counter()
                case {"type": "message", "message": {"role": "assistant"}}:
                    answered = True
                case {"type": "status", "status": {"status": "waiting"}} if answered:
                    break
                case {"type": "error"}:
                    raise RuntimeError(f"the chat failed: {event}")
                case _:
                    pass
        now = time.perf_counter()
        return Turn((first or now) - began, now - began)

    async def _events(self) -> AsyncGenerator[Event]:
        """Events one by one; those of a frame that were not taken are the next caller's."""
        assert self._socket is not None
        while True:
            while self._ahead:
                yield self._ahead.popleft()
            self._ahead.extend(orjson.loads(await self._socket.recv()))


def _episode_of(event: Event) -> tuple[int, int]:
    part = event["message_part"]
    return part["history_version"], part["generation_attempt"]
