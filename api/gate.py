"""A narrow way to the database, for what crowds ask at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from api.errors import unavailable

PATIENCE_SECONDS = 10.0
"""Who would wait longer is turned away."""


class Gate:
    """Lets so many through at a time, in the order in which they came.

    A crowd waits here, and not in the pool, whose other connections stay free for everybody else.

    Args:
        width: How many may be inside at once.
    """

    def __init__(self, width: int) -> None:
        self._places = asyncio.Semaphore(width)  # wakes those who wait in their order

    @asynccontextmanager
    async def passing(self) -> AsyncGenerator[None]:
        """Wait for a place, and hold it while the block runs. Not to be nested: who holds a place and waits
        for another may wait for itself.

        Raises:
            ApiError: 503, the wait was too long.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise unavailable("Too many ask at once.", "Try again in a moment.") from None
        try:
            yield
        finally:
            self._places.release()
