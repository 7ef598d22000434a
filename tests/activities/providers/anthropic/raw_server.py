"""A server that answers what a test wrote down, piece by piece, and checks what it is asked."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.activities.providers.request_rules.checked import broken_rules

_OPENAI = ("/responses", "/chat/completions")
_MESSAGES = "/messages"
"""Of everybody else: platforms have paths of their own."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request. Names of headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: every piece is sent by itself."""

    pieces: tuple[bytes, ...]
    content_type: str = "text/event-stream"
    status: int = 200


@dataclass(slots=True)
class RawServer:
    """Answers requests in their order with the replies it was given."""

    base_url: str = ""
    received: list[Received] = field(default_factory=list[Received])
    _replies: deque[Reply] = field(default_factory=deque[Reply])
    _server: asyncio.Server | None = None
    _connections: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    async def __aenter__(self) -> "RawServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.base_url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self._connections):
            connection.close()
        await self._server.wait_closed()
        for request in self.received:
            broken = broken_rules(request.path if request.path.endswith(_OPENAI) else _MESSAGES, request.body)
            assert not broken, (request.path, broken)

    def reply(self, *pieces: bytes, **more: Any) -> None:
        self._replies.append(Reply(pieces, **more))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.received.append(Received(first.split()[1], headers, json.loads(body)))
        reply = self._replies.popleft()
        writer.write(
            f"HTTP/1.1 {reply.status} OK\r\ncontent-type: {reply.content_type}\r\n"
            "transfer-encoding: chunked\r\n\r\n".encode()
        )
        for piece in reply.pieces:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def sse(events: Iterable[dict[str, Any]], newline: bytes = b"\n") -> bytes:
    """Events as the vendor frames them."""
    return b"".join(
        b"event: %s%sdata: %s%s%s"
        % (event["type"].encode(), newline, json.dumps(event).encode(), newline, newline)
        for event in events
    )
