"""From a subscription to a connection: send what comes, until one side has had enough."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from api.streaming.events import Event
from api.streaming.subscription import End, Subscription
from runtime import metrics

HEARTBEAT_SECONDS = 15.0

SEND_SECONDS = 30.0
"""A reader that does not take a frame for this long is cut off: what it was sent is kept in memory."""

_UNEVEN = 0.1
"""The share of its life that a stream may be spared: readers who came together do not all return together."""


def farewell_seconds(end: End) -> float:
    """How long a client may take to hear that it is over. One that is slow gets more time: its backlog
    is forgotten, so it costs nothing but the connection."""
    return 10.0 if end is End.SLOW else 1.0


Send = Callable[[list[Event]], Awaitable[None]]


async def serve(
    transport: str,
    reader: Subscription,
    send: Send,
    disconnected: Coroutine[Any, Any, None],
    *,
    life_seconds: float,
) -> End:
    """Serve one reader.

    Args:
        life_seconds: Then it is asked to connect again, which finds it a process that is there, and keeps
            nothing of one that a proxy has forgotten.
        send: Sends a batch; called with an empty one when there was nothing to send for a while.
        disconnected: Returns when the client is gone, or has said something it should not.

    Returns:
        Why it is over. The connection is still to be closed.
    """
    pump = asyncio.create_task(_pump(reader, send))
    watch = asyncio.create_task(disconnected)
    metrics.STREAMS.labels(transport).inc()
    try:
        done, _ = await asyncio.wait(
            (pump, watch, reader.ended),
            timeout=life_seconds * random.uniform(1 - _UNEVEN, 1),
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        metrics.STREAMS.labels(transport).dec()
        pump.cancel()
        watch.cancel()
        await asyncio.gather(pump, watch, return_exceptions=True)
    if not reader.ended.done() and (watch in done or pump in done):
        return End.CLIENT  # a pump ends by itself only when the connection is broken or the reader was let go
    end = reader.ended.result() if reader.ended.done() else End.EXPIRED
    metrics.STREAMS_CUT_OFF.labels(end.value).inc()
    return end


async def _pump(reader: Subscription, send: Send) -> None:
    while True:
        batch: list[Event] = []
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                batch = await reader.take()
        except TimeoutError:
            pass
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await send(batch)
        except TimeoutError:
            reader.end(End.SLOW)
            return
