"""Reaching the agent of a workspace, which is started if there is none."""

import asyncio
import contextlib
import fcntl
import os
import socket
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from workspace import protocol
from workspace.errors import ConnectionLost, WorkspaceUnreachable
from workspace.layout import Layout
from workspace.protocol import Hello, ProtocolError
from workspace.sandbox import Sandbox

_START_SECONDS = 20.0
_POLL_SECONDS = 0.02
_LOG_TAIL_BYTES = 500


class Connection:
    """A connection to an agent that has greeted us; it carries one request."""

    def __init__(self, hello: Hello, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hello = hello
        self._reader = reader
        self._writer = writer

    async def send(self, request: protocol.Request) -> None:
        """Send the request, and do not wait for what comes of it."""
        self._writer.write(protocol.encode_request(request))
        await self._writer.drain()

    async def exchange(self, request: protocol.Request) -> bytes:
        """Send the request and wait for the answer.

        Raises:
            ConnectionLost: the connection broke. The request may have been fulfilled all the same.
        """
        try:
            await self.send(request)
            line = await self._reader.readline()
        except (OSError, ValueError) as error:
            raise ConnectionLost(f"The connection to the workspace broke: {error}") from error
        if not line.endswith(b"\n"):
            raise ConnectionLost("The connection to the workspace broke.")
        return line


@asynccontextmanager
async def connected(layout: Layout, sandbox: Sandbox | None) -> AsyncGenerator[Connection]:
    """A connection to the agent.

    Args:
        sandbox: starts the agent where none runs; None asks a running one only.

    Raises:
        WorkspaceUnreachable: there is none and it cannot be started.
    """
    hello, reader, writer = await _greeted(layout, sandbox)
    try:
        yield Connection(hello, reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _greeted(
    layout: Layout, sandbox: Sandbox | None
) -> tuple[Hello, asyncio.StreamReader, asyncio.StreamWriter]:
    deadline = time.monotonic() + _START_SECONDS
    started = False
    while True:
        with contextlib.suppress(OSError):
            with _short_path(layout.socket) as path:
                reader, writer = await asyncio.open_unix_connection(path, limit=protocol.MAX_LINE_BYTES)
            try:
                return await _greeting(reader, deadline), reader, writer
            except BaseException as error:
                writer.close()
                if not isinstance(error, EOFError):
                    raise
        # nobody listens, or one that just went away: nothing was asked yet, so another try is safe
        if sandbox is None:
            raise WorkspaceUnreachable("The workspace has no running agent.")
        if started:
            raise WorkspaceUnreachable(f"The sandbox could not be started. {_last_words(layout)}")
        if time.monotonic() > deadline:
            raise WorkspaceUnreachable(
                f"The agent of the workspace does not answer. Another one can start when {layout.lock} is "
                "held by no process any more."
            )
        started = await asyncio.to_thread(_start, layout, sandbox)
        if not started:
            await asyncio.sleep(_POLL_SECONDS)


async def _greeting(reader: asyncio.StreamReader, deadline: float) -> Hello:
    """Wait for the greeting.

    Raises:
        EOFError: the connection was closed before it.
        WorkspaceUnreachable: it did not come, or was none.
    """
    try:
        async with asyncio.timeout(max(1.0, deadline - time.monotonic())):
            line = await reader.readline()
    except TimeoutError:
        raise WorkspaceUnreachable("The agent of the workspace does not answer.") from None
    except OSError as error:
        raise EOFError from error
    if not line:
        raise EOFError
    try:
        return protocol.decode_hello(line)
    except ProtocolError as error:
        raise WorkspaceUnreachable(f"The agent of the workspace cannot be understood: {error}") from error


def _start(layout: Layout, sandbox: Sandbox) -> bool:
    """Start an agent unless one is running or being started. Returns whether it was this call that did."""
    layout.make()
    lock = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        with contextlib.suppress(FileNotFoundError):
            layout.socket.unlink()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            with _short_path(layout.socket) as path:
                listener.bind(path)
            listener.listen(128)  # from here on one can connect, and waits for the greeting
            sandbox.start(layout, listener.fileno(), lock)
        return True
    except OSError as error:
        raise WorkspaceUnreachable(f"The sandbox could not be started: {error}") from error
    finally:
        os.close(lock)


@contextmanager
def _short_path(path: Path) -> Generator[str]:
    """Another name of a path: that of a socket must not be longer than 107 bytes."""
    try:
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ConnectionRefusedError from error
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _last_words(layout: Layout) -> str:
    try:
        return layout.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError:
        return ""
