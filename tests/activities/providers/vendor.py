"""A vendor that answers what a test wrote down, piece by piece, and remembers exactly what it was asked."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

Piece = bytes | asyncio.Event
"""An event: go on when it is set."""

BREAK_OFF = b"\0break off"
"""In place of a piece: the connection is closed in the middle of the answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. Names of headers are in lower case; one that came twice is there twice."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for one, value in self.headers if one == name), None)


@dataclass(frozen=True, slots=True)
class Reply:
    pieces: tuple[Piece, ...]
    status: int
    headers: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Vendor:
    """Answers requests in their order with the replies it was given.

    Attributes:
        sent_bytes: of answers, without their framing.
        hung_up: set when a client closes its connection in the middle of an answer.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])
    sent_bytes: int = 0
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    _replies: deque[Reply] = field(default_factory=deque[Reply])
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reply(self, *pieces: Piece, status: int = 200, **headers: str) -> None:
        """What is answered next. Underscores in names of headers stand for hyphens."""
        named = {"content-type": "text/event-stream", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self._replies.append(Reply(pieces, status, tuple(named.items())))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.strip().split("\r\n")
        headers = [
            (name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)
        ]
        method, target, _ = first.split()
        body = await reader.readexactly(int(dict(headers).get("content-length", 0)))
        self.asked.append(Asked(method, target, headers, body))
        self.begun.set()
        reply = self._replies.popleft()
        answering = asyncio.create_task(self._write(reply, writer))
        leaving = asyncio.create_task(reader.read(1))  # nobody says anything before the answer is whole
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            self.hung_up.set()
            answering.cancel()
            raise ConnectionError
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        answering.result()

    async def _write(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        lines = [f"{name}: {value}" for name, value in (*reply.headers, ("transfer-encoding", "chunked"))]
        head = "\r\n".join([f"HTTP/1.1 {reply.status} Whatever", *lines, "", ""]).encode("latin-1")
        if not reply.pieces or not isinstance(reply.pieces[0], asyncio.Event):
            writer.write(head)
            head = b""
        for piece in reply.pieces:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
                continue
            if piece == BREAK_OFF:
                raise ConnectionError
            writer.write(head + b"%x\r\n%s\r\n" % (len(piece), piece))
            head = b""
            await writer.drain()
            self.sent_bytes += len(piece)
        writer.write(head + b"0\r\n\r\n")
        await writer.drain()
