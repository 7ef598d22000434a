"""Run the demo model: inside the current event loop for tests, or as a process of its own."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from activities.providers.demo.app import create_app
from activities.providers.demo.delivery import TRANSPORT
from activities.providers.demo.faults import Fault, one_fault
from activities.providers.demo.recorder import RecordedRequest
from activities.providers.demo.stage import Stage

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8088


class _OpenHandedProtocol(HttpToolsProtocol):
    """HTTP that lets the application reach its connection, which a reset needs."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # pyright: ignore[reportGeneralTypeIssues, reportArgumentType]


class _Server(uvicorn.Server):
    """A server that does not wait for its streams when it stops: a held one would never end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


class _GuestServer(_Server):
    """A server in somebody else's event loop: it says when it is ready, and leaves the signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _config(app: Starlette, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_OpenHandedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Longer than clients keep an idle connection: one closed by us would look like a fault.
        timeout_keep_alive=300,
    )


class DemoModel:
    """A demo model inside the current event loop, on a free loopback port.

    ```python
    async with DemoModel() as model:
        client = AsyncAnthropic(base_url=model.base_url, api_key="demo", max_retries=0)
    ```
    """

    def __init__(self) -> None:
        self._stage = Stage()
        self._server = _GuestServer(_config(create_app(self._stage), LOOPBACK, 0))
        self._serving: asyncio.Task[None] | None = None
        self.base_url = ""

    async def __aenter__(self) -> Self:
        listener = socket.create_server((LOOPBACK, 0))
        self.base_url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        self._serving = asyncio.create_task(self._server.serve([listener]))
        await self._server.ready.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._serving:
            await self._serving

    @property
    def openai_url(self) -> str:
        """The base URL for clients of the OpenAI protocols."""
        return f"{self.base_url}/v1"

    @property
    def requests(self) -> list[RecordedRequest]:
        """The newest requests, oldest first."""
        return self._stage.recorder.requests

    def requests_of(self, chat_id: str) -> list[RecordedRequest]:
        """Those of them that name a chat, in the header that tells whom a call is for."""
        return [one for one in self.requests if one.headers.get("x-coder-chat-id") == chat_id]

    async def received(self, times: int = 1) -> None:
        """Wait until so many requests have come since the start."""
        await self._stage.recorder.received.reached(times)

    async def settled(self) -> None:
        """Wait until every request that has come is answered, or its client is gone."""
        await self._stage.recorder.settled()

    def clear(self) -> None:
        """Forget the recorded requests, the ordered faults and the holds."""
        self._stage.recorder.clear()
        self._stage.ordered_faults.clear()
        self._stage.holds.clear()

    def order_fault(self, *faults: Fault | dict[str, Any]) -> None:
        """Order faults for the next requests, one each, whatever they ask.

        Raises:
            pydantic.ValidationError: there is no such fault.
        """
        self._stage.ordered_faults.extend(one_fault.validate_python(fault) for fault in faults)

    async def reached(self, name: str, times: int = 1) -> None:
        """Wait until so many streams have arrived at the hold `name`, since the start."""
        await self._stage.holds[name].arrivals.reached(times)

    def release(self, name: str) -> None:
        """Open the hold `name` for good, for those who wait and those who will come."""
        self._stage.holds[name].release()


def serve(host: str = LOOPBACK, port: int = DEFAULT_PORT) -> None:
    """Serve until SIGINT or SIGTERM, in this process."""
    with contextlib.suppress(KeyboardInterrupt):
        _Server(_config(create_app(), host, port)).run()
