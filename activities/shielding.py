"""Finishing what must not be torn: a commit that has begun is seen through."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, however often the caller is cancelled meanwhile.

    Temporal's cancellation follows our own stop order by some milliseconds and would otherwise roll back
    the very commit that the stop asked for. Use it for short work only.
    """
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    return task.result()
