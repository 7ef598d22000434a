"""Beats that say the process is alive, from a timer and never from the work itself."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import activity

BEAT_SECONDS = 0.75


@asynccontextmanager
async def beating() -> AsyncGenerator[None]:
    """Send a heartbeat every 0.75 s until the block ends. The server counts from the start of the activity,
    so short ones need none."""
    task = asyncio.create_task(_beat())
    try:
        yield
    finally:
        task.cancel()


async def _beat() -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        activity.heartbeat()
