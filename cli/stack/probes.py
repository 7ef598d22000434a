"""Is it ready? Answered with plain sockets, so that the launcher needs no client library."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncGenerator

from cli.stack.part import Probe

_TRY_SECONDS = 2.0


def accepts(port: int, host: str = "127.0.0.1") -> Probe:
    """Ready when something listens."""

    async def probe() -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with _connection(host, port):
                return True
        return False

    return probe


def answers_http(port: int, path: str, host: str = "127.0.0.1", containing: bytes = b"") -> Probe:
    """Ready when a GET is answered with 200 and a body that holds `containing`."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()

    async def probe() -> bool:
        answer = await _ask(host, port, request, until_end=True)
        return answer.partition(b"\r\n")[0].split()[1:2] == [b"200"] and containing in answer

    return probe


def answers_redis(port: int, password: str, host: str = "127.0.0.1") -> Probe:
    """Ready when PING is answered: it is not while data is being loaded."""
    request = f"AUTH {password}\r\nPING\r\n".encode()

    async def probe() -> bool:
        return b"+PONG" in await _ask(host, port, request)

    return probe


def answers_postgres(port: int, user: str, database: str, host: str = "127.0.0.1") -> Probe:
    """Ready when a connection is asked for its password; one that comes too early gets an error."""
    parameters = f"user\0{user}\0database\0{database}\0\0".encode()
    startup = struct.pack("!ii", len(parameters) + 8, 196_608) + parameters  # protocol 3.0

    async def probe() -> bool:
        return (await _ask(host, port, startup))[:1] == b"R"

    return probe


async def _ask(host: str, port: int, request: bytes, *, until_end: bool = False) -> bytes:
    with contextlib.suppress(OSError, TimeoutError):
        async with _connection(host, port) as (reader, writer):
            writer.write(request)
            await writer.drain()
            return await (reader.read() if until_end else reader.read(1024))
    return b""


@contextlib.asynccontextmanager
async def _connection(
    host: str, port: int
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(_TRY_SECONDS):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
