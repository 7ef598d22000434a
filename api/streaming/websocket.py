"""A stream as WebSocket frames, in one direction."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

from starlette.websockets import WebSocket

from api.services import services_of
from api.streaming.events import Event
from api.streaming.guarding import guarded
from api.streaming.serving import farewell_seconds, serve
from api.streaming.subscription import End, Subscription

_CLOSE_CODES = {
    End.CLIENT: 1008,
    End.DENIED: 1008,
    End.EXPIRED: 1000,
    End.SHUTDOWN: 1012,
    End.SLOW: 1013,
    End.UNAVAILABLE: 1013,
    End.INTERRUPTED: 1013,
}

_REASONS = {
    End.CLIENT: "this stream takes no messages",
    End.DENIED: "you may not read this any more",
    End.EXPIRED: "open for long enough; connect again",
    End.SHUTDOWN: "the server is shutting down; connect again",
    End.SLOW: "you read too slowly; connect again",
    End.UNAVAILABLE: "this cannot be read for now; connect again",
    End.INTERRUPTED: "changes may have been missed; connect again and read anew",
}


def one_array(batch: list[Event]) -> list[str]:
    """A batch as one frame: a JSON array."""
    return [f"[{b','.join([one.body for one in batch]).decode()}]"]


def one_by_one(batch: list[Event]) -> list[str]:
    """A frame per event: a JSON object."""
    return [one.body.decode() for one in batch]


async def stream_to(
    websocket: WebSocket,
    subscribing: AbstractAsyncContextManager[Subscription],
    framed: Callable[[list[Event]], list[str]] = one_array,
) -> None:
    """Subscribe, accept a socket and serve it to its end. Keep-alive pings are the server's.

    Args:
        framed: The frames of a batch that is not empty.
    """
    client_left = False

    async def send_batch(batch: list[Event]) -> None:
        for frame in framed(batch) if batch else ():
            await websocket.send_text(frame)

    async def disconnected() -> None:
        nonlocal client_left
        message = await websocket.receive()
        client_left = message["type"] == "websocket.disconnect"

    async with subscribing as reader, guarded(websocket, partial(reader.end, End.DENIED)):
        await websocket.accept()
        life = services_of(websocket).settings.stream_life_seconds
        end = await serve("websocket", reader, send_batch, disconnected(), life_seconds=life)
    if not client_left:
        try:
            async with asyncio.timeout(farewell_seconds(end)):
                await websocket.close(_CLOSE_CODES[end], _REASONS[end])
        except (TimeoutError, RuntimeError):
            return  # it does not even read this, or is gone
