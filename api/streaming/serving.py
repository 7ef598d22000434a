"""From a subscription to a connection: send what comes, until one side has had enough."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from api.streaming.events import Event
from api.streaming.subscription import End, Subscription
from runtime import metrics

HEARTBEAT_SECONDS = 15.0
LIFE_SECONDS = 3600.0


def farewell_seconds(end: End) -> float:
    """How long a client may take to hear that it is over. One that is slow gets more time: its backlog
    is forgotten, so it costs nothing but the connection."""
    return 10.0 if end is End.SLOW else 1.0


Send = Callable[[list[Event]], Awaitable[None]]


async def serve(
    transport: str, reader: Subscription, send: Send, disconnected: Coroutine[Any, Any, None]
) -> End:
    """Serve one reader.

    Args:
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
            (pump, watch, reader.ended), timeout=LIFE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        metrics.STREAMS.labels(transport).dec()
        pump.cancel()
        watch.cancel()
        await asyncio.gather(pump, watch, return_exceptions=True)
    if watch in done or pump in done:  # a pump ends by itself only when the connection is broken
        return End.CLIENT
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
        await send(batch)
