"""Sending hints to people who watch their lists.

Nobody waits for Redis: what it does not take at once is sent again a moment later, and its readers start anew
when it was away for longer.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from models.hints import HINTS_EXPIRE_SECONDS, HINTS_MAX_ENTRIES, Hint

log = structlog.get_logger(__name__)

_MAX_IN_FLIGHT = 1000
_PAUSE_SECONDS = 0.5


def add_hints(pipe: Any, hints: Iterable[Hint]) -> None:
    """Put hints into a pipeline that is about to be sent."""
    for hint in hints:
        pipe.xadd(hint.key, hint.encode(), maxlen=HINTS_MAX_ENTRIES, approximate=True)
        pipe.expire(hint.key, HINTS_EXPIRE_SECONDS)


class HintWriter:
    """Sends hints in the background, for whoever has nothing else to tell Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, *hints: Hint) -> None:
        """Send hints of something that is committed. Does not wait."""
        if not hints or len(self._sending) >= _MAX_IN_FLIGHT:
            return
        task = asyncio.create_task(self._send(hints))
        self._sending.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._sending.discard)

    async def drain(self) -> None:
        """Wait until all that was sent has arrived or failed."""
        await asyncio.gather(*self._sending)

    async def _send(self, hints: tuple[Hint, ...]) -> None:
        if not await self._sent(hints):
            await asyncio.sleep(_PAUSE_SECONDS)
            await self._sent(hints)

    async def _sent(self, hints: tuple[Hint, ...]) -> bool:
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                add_hints(pipe, hints)
                await pipe.execute()
        except (RedisError, OSError) as error:
            log.warning("hints not sent", error=type(error).__name__)
            return False
        return True
