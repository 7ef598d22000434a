"""A worker's hand."""

import pytest
from redis.asyncio import Redis

from tests.api.conftest import Door
from tests.api.watching.watchers import Hand


@pytest.fixture
def hand(door: Door, redis: Redis) -> Hand:
    return Hand(door.engine, redis)
