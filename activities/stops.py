"""Stopping what a turn has running, because its user says so.

The fast way is a message over Redis to whichever worker streams it. Temporal's cancellation is the authority
and always follows; the message only beats it by some milliseconds, so nothing here retries hard or fails
anybody.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from temporalio import activity

from models.stream import STOP_CHANNEL, Stop

log = structlog.get_logger(__name__)
T = TypeVar("T")

_RECONNECT_SECONDS = 0.25


class Stopped(Exception):
    """The user stopped the turn."""


async def unless_stopped(work: Awaitable[T], stop: asyncio.Event) -> T:
    """The result of `work`, unless the user stops it first. It has ended in any case.

    Raises:
        Stopped: an order over Redis, or Temporal's cancellation on the user's behalf.
        asyncio.CancelledError: any other cancellation: a worker that shuts down is no interrupt.
    """
    working = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopped
        return working.result()
    except asyncio.CancelledError as err:
        details = activity.cancellation_details()
        if details is None or not details.cancel_requested:
            raise
        raise Stopped from err
    finally:
        stopping.cancel()
        working.cancel()
        await asyncio.wait({working})


class StopListener:
    """One subscription per worker process, shared by all its running steps."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._watched: dict[Stop, list[asyncio.Event]] = {}

    @asynccontextmanager
    async def watch(self, chat_id: UUID, turn: int) -> AsyncGenerator[asyncio.Event]:
        """An event that is set when this turn is told to stop. Watch before reading the chat's row: an
        order given earlier shows in the row, a later one is heard."""
        order = Stop(chat_id, turn)
        event = asyncio.Event()
        self._watched.setdefault(order, []).append(event)
        try:
            yield event
        finally:
            events = self._watched[order]
            events.remove(event)
            if not events:
                del self._watched[order]

    async def run(self) -> None:
        """Listen until cancelled, through any number of lost connections."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as err:
                log.debug("stop channel lost", error=type(err).__name__)
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(self) -> None:
        subscription: Any = cast(Any, self._redis).pubsub(ignore_subscribe_messages=True)
        async with subscription:
            await subscription.subscribe(STOP_CHANNEL)
            while True:
                message: dict[str, bytes] | None = await subscription.get_message(timeout=None)
                if message is not None:
                    self._deliver(Stop.decode(message["data"]))

    def _deliver(self, order: Stop) -> None:
        for event in self._watched.get(order, ()):
            event.set()
