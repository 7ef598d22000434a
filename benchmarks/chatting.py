"""A light client: one connection for posts, one WebSocket for the stream."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect

from cli.stack import Stack


@dataclass(frozen=True)
class Turn:
    """Seconds from sending the request to the first part, and to the committed answer of a resting chat."""

    first_part_seconds: float
    seconds: float


class Chatter:
    """One chat and its reader."""

    def __init__(self, stack: Stack) -> None:
        self._url = f"{stack.api_url}/api/v2"
        self._headers = {"Coder-Session-Token": stack.token or ""}
        self._http = httpx.AsyncClient(headers=self._headers, timeout=60)
        self._socket: ClientConnection | None = None
        self._chat = ""

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

    async def turn(self, text: str) -> Turn:
        """Send a message and read until the chat rests with its answer."""
        began = time.perf_counter()
        posting = asyncio.create_task(
            self._http.post(
                f"{self._url}/chats/{self._chat}/messages",
                content=orjson.dumps({"content": [{"type": "text", "text": text}]}),
                headers={"Content-Type": "application/json", "Idempotency-Key": str(uuid4())},
            )
        )
        turn = await self._until_rest(began)
        (await posting).raise_for_status()
        return turn

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        await self._http.aclose()

    async def _until_rest(self, began: float) -> Turn:
        assert self._socket is not None
        first: float | None = None
        answered = False
        while True:
            events: list[dict[str, Any]] = orjson.loads(await self._socket.recv())
            for event in events:
                match event:
                    case {"type": "message_part"}:
                        first = first or time.perf_counter()
                    case {"type": "message", "message": {"role": "assistant"}}:
                        answered = True
                    case {"type": "status", "status": {"status": "waiting"}} if answered:
                        now = time.perf_counter()
                        return Turn((first or now) - began, now - began)
                    case {"type": "error"}:
                        raise RuntimeError(f"the chat failed: {event}")
                    case _:
                        pass
