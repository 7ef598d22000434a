"""A stream as WebSocket frames: JSON arrays of events, in one direction."""

import asyncio
from uuid import UUID

from starlette.websockets import WebSocket

from api.streaming.events import Event, Position
from api.streaming.hub import StreamHub
from api.streaming.serving import farewell_seconds, serve
from api.streaming.subscription import End

_CLOSE_CODES = {
    End.CLIENT: 1008,
    End.EXPIRED: 1000,
    End.SHUTDOWN: 1012,
    End.SLOW: 1013,
    End.UNAVAILABLE: 1013,
}

_REASONS = {
    End.CLIENT: "this stream takes no messages",
    End.EXPIRED: "open for an hour; connect again",
    End.SHUTDOWN: "the server is shutting down; connect again",
    End.SLOW: "you read too slowly; connect again and resume",
    End.UNAVAILABLE: "the chat cannot be read for now; connect again",
}


async def stream_to(websocket: WebSocket, hub: StreamHub, chat_id: UUID, resume: Position) -> None:
    """Accept a socket and serve it to its end. Keep-alive pings are the server's."""
    client_left = False

    async def send_batch(batch: list[Event]) -> None:
        if batch:
            await websocket.send_text(f"[{b','.join([one.body for one in batch]).decode()}]")

    async def disconnected() -> None:
        nonlocal client_left
        message = await websocket.receive()
        client_left = message["type"] == "websocket.disconnect"

    await websocket.accept()
    async with hub.subscribe(chat_id, resume) as reader:
        end = await serve("websocket", reader, send_batch, disconnected())
    if not client_left:
        try:
            async with asyncio.timeout(farewell_seconds(end)):
                await websocket.close(_CLOSE_CODES[end], _REASONS[end])
        except (TimeoutError, RuntimeError):
            return  # it does not even read this, or is gone
