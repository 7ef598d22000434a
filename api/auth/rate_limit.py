"""How often a caller may ask: each token so many requests a minute, and so each address without one.

What may be done at once is what may be done in a minute; it comes back evenly (the generic cell rate
algorithm, one key and one atomic script per request). While Redis is away everybody is let in: the limit is
there against mistakes and floods, and must not be what stops the service.
"""

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.requests import HTTPConnection

from api.auth.state import answer_headers
from api.errors import ApiError

_WINDOW_SECONDS = 60
_PATIENCE_SECONDS = 0.25
_AWAY_SECONDS = 5.0
"""After a failure Redis is not asked for this long, so that one that hangs does not slow everything down."""

# times are kept as text: a number of Redis would lose its fraction
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local interval = ARGV[2] / ARGV[1]
local due = tonumber(redis.call('GET', KEYS[1]) or '0')
if due < now then due = now end
local after = due + interval
local wait = after - ARGV[2] - now
if wait > 0.000001 then return {0, 0, string.format('%.6f', wait), string.format('%.6f', due - now)} end
redis.call('SET', KEYS[1], string.format('%.6f', after), 'EX', ARGV[2] + 1)
local left = math.floor((ARGV[2] - (after - now)) / interval + 0.000001)
return {1, left, '0', string.format('%.6f', after - now)}
"""

log = structlog.get_logger("auth")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left.

    Attributes:
        allowed: whether this request may go on.
        limit: requests a minute.
        remaining: how many more may be made now.
        retry_seconds: until one more may be made, if this one may not.
        reset_seconds: until all of them may be made again.
    """

    allowed: bool
    limit: int
    remaining: int
    retry_seconds: float
    reset_seconds: float

    @property
    def headers(self) -> dict[str, str]:
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.reset_seconds)),
        }
        if not self.allowed:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_seconds)))
        return headers


class RateLimit:
    """Counts in Redis, for all processes together.

    Args:
        per_token: Requests a minute for one token; 0: no limit.
        per_address: The same for one address, of requests without a valid token.
    """

    def __init__(self, redis: Redis, *, per_token: int, per_address: int) -> None:
        self._redis = redis
        self._per_token = per_token
        self._per_address = per_address
        self._away_until = 0.0

    async def count_token(self, connection: HTTPConnection, token_id: object) -> None:
        """Count a request with a valid token.

        Raises:
            ApiError: 429, it is one too many.
        """
        await self._count(connection, f"token:{token_id}", self._per_token)

    async def count_address(self, connection: HTTPConnection) -> None:
        """Count a request that nobody vouches for.

        Raises:
            ApiError: 429, it is one too many.
        """
        address = connection.client.host if connection.client is not None else "unknown"
        await self._count(connection, f"address:{address}", self._per_address)

    async def _count(self, connection: HTTPConnection, who: str, limit: int) -> None:
        allowance = await self._ask(who, limit) if limit else None
        if allowance is None:
            return
        answer_headers(connection).update(allowance.headers)
        if not allowance.allowed:
            raise ApiError(
                429,
                "You ask too often.",
                f"{limit} requests a minute are taken. Wait as long as Retry-After says.",
                headers=allowance.headers,
            )

    async def _ask(self, who: str, limit: int) -> Allowance | None:
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer = await cast(Any, self._redis).eval(
                    _SCRIPT, 1, f"perdure:rate:{who}", limit, _WINDOW_SECONDS
                )
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            log.warning("cannot count requests, letting everybody in", error=type(error).__name__)
            return None
        allowed, remaining, retry, reset = answer
        return Allowance(bool(allowed), limit, int(remaining), float(retry), float(reset))
