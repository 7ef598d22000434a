"""News of changed configuration, from the process that made the change to all others, over Redis.

Told after the commit. Nobody waits for it: where it is lost, values are too old for some seconds.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

CHANNEL = "chat:config_change"

log = structlog.get_logger(__name__)

_RECONNECT_SECONDS = 0.25


class ChangeKind(StrEnum):
    """What has changed, and whose id goes with it."""

    PROVIDERS = "providers"
    """A provider or its key. No id: all are remembered together."""
    MODEL = "model"
    """A model's id. Defaults are dropped along. Without an id, of several models: nothing is kept."""
    OVERRIDES = "overrides"
    """An organization's id."""
    USER = "user"
    """A user's id: prompt, thresholds, keys."""
    SETTINGS = "settings"
    """A setting of the deployment. No id."""


class Change(BaseModel):
    """One change. Written to Redis as JSON."""

    model_config = ConfigDict(frozen=True)

    kind: ChangeKind
    id: UUID | None = None


async def tell(redis: Redis, change: Change) -> None:
    """Tell all processes. Whether they hear it or not, the change is made."""
    client = cast(Any, redis)
    try:
        await client.publish(CHANNEL, change.model_dump_json(exclude_none=True))
    except (RedisError, OSError) as error:
        log.warning("a change of configuration was not told", kind=change.kind, error=type(error).__name__)


async def heed(redis: Redis, hear: Callable[[Change], None], missed: Callable[[], None]) -> None:
    """Listen until cancelled, through any number of lost connections.

    Args:
        redis: a client for blocking reads, of which this takes one connection.
        hear: is given every change.
        missed: is called whenever changes may have gone unheard.
    """
    while True:
        try:
            await _listen(redis, hear, missed)
        except (RedisError, OSError) as error:
            log.debug("channel of changes lost", error=type(error).__name__)
        await asyncio.sleep(_RECONNECT_SECONDS)


async def _listen(redis: Redis, hear: Callable[[Change], None], missed: Callable[[], None]) -> None:
    subscription: Any = cast(Any, redis).pubsub()
    async with subscription:
        await subscription.subscribe(CHANNEL)
        while True:
            message: dict[str, Any] | None = await subscription.get_message(timeout=None)
            match message:
                case {"type": "subscribe"}:
                    missed()
                case {"type": "message", "data": bytes(data)}:
                    _deliver(data, hear, missed)
                case _:
                    pass


def _deliver(data: bytes, hear: Callable[[Change], None], missed: Callable[[], None]) -> None:
    try:
        change = Change.model_validate_json(data)
    except ValidationError:  # a newer release knows kinds that this one does not
        log.info("a change of a kind that is not known here")
        missed()
        return
    hear(change)
