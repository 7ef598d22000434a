"""A stream as server-sent events."""

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import partial

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.services import services_of
from api.streaming.events import Event
from api.streaming.guarding import guarded
from api.streaming.serving import farewell_seconds, serve
from api.streaming.subscription import End, Subscription

MEDIA_TYPE = "text/event-stream"

_ACCEPTED = (MEDIA_TYPE, "text/*", "*/*")
# comments without an empty line behind them: some clients take that for an event without data
_BEGINNING = b": begin\n"
_HEARTBEAT = b": still here\n"


def accepts_events(accept: str | None) -> bool:
    """Whether a client with this `Accept` header can read a stream."""
    return not accept or any(
        kind.partition(";")[0].strip().lower() in _ACCEPTED for kind in accept.split(",")
    )


class EventStream(Response):
    """The answer to a request for server-sent events."""

    media_type = MEDIA_TYPE

    def __init__(self, subscribing: AbstractAsyncContextManager[Subscription]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._subscribing = subscribing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_batch(batch: list[Event]) -> None:
            await _send_body(send, b"".join([one.sse for one in batch]) or _HEARTBEAT)

        async def disconnected() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        connection = HTTPConnection(scope)
        async with (
            self._subscribing as reader,
            guarded(connection, partial(reader.end, End.DENIED)),
        ):
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            await _send_body(send, _BEGINNING)
            life = services_of(connection).settings.stream_life_seconds
            end = await serve("sse", reader, send_batch, disconnected(), life_seconds=life)
        if end is not End.CLIENT:
            try:
                async with asyncio.timeout(farewell_seconds(end)):
                    await _send_body(send, f": over ({end.value}), connect again\n".encode(), last=True)
            except TimeoutError:
                return  # it does not even read this; the server closes the connection


async def _send_body(send: Send, body: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})
