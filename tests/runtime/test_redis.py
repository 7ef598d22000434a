"""The client of Redis keeps out of the way of whoever uses it."""

import asyncio
from typing import Any, cast

import pytest

from cli.stack import Stack
from runtime.redis import open_redis


async def test_a_cancelled_command_is_cancelled_wherever_it_is(stack: Stack):
    redis = cast(Any, open_redis(stack.redis_url))
    cancelled = 0
    try:
        for turns in range(30):
            await redis.echo("a connection is there")
            command = asyncio.ensure_future(redis.xrange("perdure:nothing"))
            for _ in range(turns):
                await asyncio.sleep(0)
            if command.done():
                continue
            command.cancel()
            with pytest.raises(asyncio.CancelledError):
                await command
            cancelled += 1
            assert await redis.echo(str(turns)) == str(turns).encode(), "no answer is taken for another's"
    finally:
        await redis.aclose()
    assert cancelled >= 3
