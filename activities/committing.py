"""Seeing a commit through that holds what a model has said: it was paid for, and people have read it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from activities.passing import passes

log = structlog.get_logger(__name__)
T = TypeVar("T")

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.25


async def patiently(commit: Callable[[], Awaitable[T]]) -> T:
    """The result of `commit`, also over a database that is away for a moment. It must be harmless to repeat.

    Raises:
        Exception: what `commit` raises, where that does not pass by itself, or has not within a minute.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return await commit()
        except Exception as err:
            if not passes(err) or time.monotonic() > until:
                raise
            log.warning("a finished answer waits for the database", error=type(err).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)
