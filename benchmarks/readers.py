"""Readers on raw sockets, in a process of their own. They compare the time in each piece with theirs: one
machine, one monotonic clock."""

import asyncio
import multiprocessing
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

_STAMP = re.compile(rb"t(\d{10,})")
_MESSAGE = b"event: message\n"
_AT_ONCE = 100
"""So many connect at a time."""


def stamp() -> str:
    """A piece: the time of its sending."""
    return f"t{time.monotonic_ns()} "


@dataclass(frozen=True)
class Until:
    """When a reader has read enough: after so many pieces, or at this text behind the first piece."""

    pieces: int | None = None
    text: bytes | None = None

    def reached(self, pieces: int, block: bytes) -> bool:
        if self.pieces is not None:
            return pieces >= self.pieces
        return pieces > 0 and self.text is not None and self.text in block


async def _read(request: bytes, host: str, port: int, said: asyncio.Queue[None], until: Until) -> list[int]:
    """Nanoseconds from piece to reader, for each piece."""
    reader, writer = await asyncio.open_connection(host, port, limit=2**22)
    delays: list[int] = []
    writer.write(request)
    began = False
    try:
        while True:
            block = await _block(reader)
            now = time.monotonic_ns()
            if not began:
                began = True
                said.put_nowait(None)
            if _MESSAGE in block:
                continue  # the whole answer again, as it is kept
            delays += [now - int(stamp) for stamp in _STAMP.findall(block)]
            if until.reached(len(delays), block):
                return delays
    finally:
        writer.close()


async def _block(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\n\n")
    except asyncio.IncompleteReadError as error:
        raise RuntimeError(f"A reader was refused: {error.partial.decode()}") from None


def read_in_process(requests: Sequence[bytes], host: str, port: int, until: Until, pipe: Connection) -> None:
    """Entry of the readers' process. Says `connected` when all are, then the delays when all have read."""

    async def run() -> None:
        said: asyncio.Queue[None] = asyncio.Queue()
        tasks: list[asyncio.Task[list[int]]] = []
        async with asyncio.TaskGroup() as group:
            for start in range(0, len(requests), _AT_ONCE):
                wave = requests[start : start + _AT_ONCE]
                tasks += [group.create_task(_read(one, host, port, said, until)) for one in wave]
                for _ in wave:
                    await said.get()
            pipe.send("connected")
        pipe.send([delay for task in tasks for delay in task.result()])

    asyncio.run(run())


class Readers:
    """Readers of one address, in a process of their own.

    Args:
        requests: What each of them asks for.
    """

    def __init__(self, requests: Sequence[bytes], url: str, until: Until) -> None:
        address = urlsplit(url)
        self._pipe, theirs = multiprocessing.Pipe()
        target = (requests, address.hostname, address.port, until, theirs)
        self._process = multiprocessing.get_context("spawn").Process(target=read_in_process, args=target)

    async def connected(self) -> None:
        """Start them, and wait until all have been told something."""
        self._process.start()
        await asyncio.to_thread(self._pipe.recv)

    async def delays(self) -> list[int]:
        """Nanoseconds, of all pieces at all readers."""
        delays = await asyncio.to_thread(self._pipe.recv)
        self._process.join()
        return delays

    def leave(self) -> None:
        self._process.terminate()
        self._process.join()


def get(path: str, token: str) -> bytes:
    """A request for a stream."""
    lines = [f"GET {path} HTTP/1.1", "Host: bench", "Accept: text/event-stream"]
    return "\r\n".join([*lines, f"Authorization: Bearer {token}", "", ""]).encode()


def median_and_p99(delays: Sequence[int]) -> tuple[float, float]:
    """In milliseconds."""
    ordered = sorted(delays)
    return ordered[len(ordered) // 2] / 1e6, ordered[len(ordered) * 99 // 100] / 1e6
