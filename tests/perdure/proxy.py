"""A proxy between a client and the API, whose connections break when a test wants them to."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import httpx2

_FOREVER = 1 << 62


class Proxy:
    """Passes bytes on, and cuts connections by a reset.

    Attributes:
        url: Its address.
        budget: Says for each new connection after how many bytes of answers it is cut.
        cuts: How many connections it has cut.
    """

    def __init__(self, target: str) -> None:
        self.url = ""
        self.budget: Callable[[], int] = lambda: _FOREVER
        self.cuts = 0
        self._target = httpx2.URL(target)
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Break all connections that are open now."""
        for writer in self._open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(self._target.host, self._target.port)
        budget = self.budget()
        self._open.add(writer)

        async def forth() -> None:
            while data := await reader.read(65536):
                up_writer.write(data)
                await up_writer.drain()

        async def back() -> None:
            left = budget
            while data := await up_reader.read(1024):
                writer.write(data[:left])
                left -= len(data)
                await writer.drain()
                if left <= 0:
                    self.cuts += 1
                    return

        tasks = [asyncio.create_task(forth()), asyncio.create_task(back())]
        with suppress(OSError):
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._open.discard(writer)
        up_writer.transport.abort()
        writer.transport.abort()


@asynccontextmanager
async def proxy(target: str) -> AsyncGenerator[Proxy]:
    """A running proxy for the server at this address."""
    running = Proxy(target)
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield running
