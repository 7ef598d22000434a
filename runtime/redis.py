"""Clients of Redis (or Valkey). Nothing may ever wait long for it: it holds only the live view."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_COMMAND_TIMEOUT_SECONDS = 0.5


def open_redis(redis_url: str, *, max_connections: int = 50) -> Redis:
    """A client for commands that answer at once.

    A command fails within about a second when the server is away. It is tried a second time, at once,
    because a pooled connection may have died with a server that is up again.
    """
    return Redis.from_url(
        redis_url,
        socket_connect_timeout=_COMMAND_TIMEOUT_SECONDS,
        socket_timeout=_COMMAND_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
        max_connections=max_connections,
        protocol=2,
    )


def open_blocking_redis(redis_url: str, *, block_seconds: float) -> Redis:
    """A client for reads that wait up to `block_seconds` on the server; for one such read at a time.

    It never repeats anything by itself, so that its owner sees every interruption.
    """
    return Redis.from_url(
        redis_url,
        socket_connect_timeout=_COMMAND_TIMEOUT_SECONDS,
        socket_timeout=block_seconds + 2.0,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        max_connections=2,
        protocol=2,
    )
