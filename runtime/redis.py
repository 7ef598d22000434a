"""Clients of Redis (or Valkey). Nothing may ever wait long for it: it holds only the live view."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_COMMAND_TIMEOUT_SECONDS = 0.5


def open_redis(redis_url: str, *, max_connections: int = 50) -> Redis:
    """A client for commands that answer at once.

    A command fails within about a second when the server is away. It is tried a second time, at once,
    because a pooled connection may have died with a server that is up again. When more commands come at
    once than there may be connections, they wait for one instead of failing.
    """
    pool: BlockingConnectionPool = cast(Any, BlockingConnectionPool).from_url(
        redis_url,
        max_connections=max_connections,
        timeout=_COMMAND_TIMEOUT_SECONDS,
        socket_connect_timeout=_COMMAND_TIMEOUT_SECONDS,
        socket_timeout=_COMMAND_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
        protocol=2,
    )
    return _heeding_cancellation(Redis.from_pool(pool))


def open_blocking_redis(redis_url: str, *, block_seconds: float) -> Redis:
    """A client for reads that wait up to `block_seconds` on the server; for one such read at a time.

    It never repeats anything by itself, so that its owner sees every interruption.
    """
    return _open(
        redis_url,
        socket_timeout=block_seconds + 2.0,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        max_connections=2,
    )


async def ping(redis: Redis) -> None:
    """Ask the server whether it is there.

    Raises:
        redis.exceptions.RedisError: It is not.
    """
    await cast(Any, redis).ping()


def _open(redis_url: str, **options: Any) -> Redis:
    connect: Callable[..., Redis] = cast(Any, Redis).from_url  # the library leaves its keywords untyped
    return _heeding_cancellation(
        connect(redis_url, socket_connect_timeout=_COMMAND_TIMEOUT_SECONDS, protocol=2, **options)
    )


def _heeding_cancellation(redis: Redis) -> Redis:
    """The client sends within `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that comes
    when the sending is just done. Who was cancelled then goes on, maybe for ever: it is raised after all."""
    pool: Any = redis.connection_pool
    ordinary: Any = pool.connection_class

    class Heeding(ordinary):
        async def send_packed_command(self, *args: Any, **options: Any) -> None:
            task = asyncio.current_task()
            assert task is not None
            before = task.cancelling()
            sender: Any = super()
            await sender.send_packed_command(*args, **options)
            if task.cancelling() > before:
                await self.disconnect(nowait=True)  # nobody will read the answer
                raise asyncio.CancelledError

    pool.connection_class = Heeding
    return redis
