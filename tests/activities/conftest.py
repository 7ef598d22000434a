"""Activities as a worker runs them: real rows, a real stream, the demo model at the far end of the wire."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.providers.directory import ProviderDirectory
from activities.providers.pool import ClientPool
from activities.providers.registry import FACTORIES
from cli.stack import Stack
from runtime.configuration import Configuration
from runtime.configuration.keys import open_keys
from runtime.redis import open_redis
from runtime.settings import Settings
from tests.activities.bench import Bench
from tests.activities.providers.request_rules.checked import CheckedModel
from tests.models.store.rows import new_chat


@pytest.fixture(scope="session")
async def one_demo_model() -> AsyncGenerator[CheckedModel]:
    async with CheckedModel() as model:
        yield model


@pytest.fixture
async def bench(engine: AsyncEngine, stack: Stack, one_demo_model: CheckedModel) -> AsyncGenerator[Bench]:
    """One chat, and the means to run its activities."""
    one_demo_model.clear()
    redis = open_redis(stack.redis_url)
    clients = ClientPool(FACTORIES)
    keys = open_keys(Settings(demo_model_url=one_demo_model.base_url))
    directory = ProviderDirectory(Configuration(engine, redis, redis), keys, clients)
    yield Bench(await new_chat(engine, context_limit=100_000), redis, one_demo_model, directory)
    await clients.aclose()
    one_demo_model.check()
    await redis.aclose()
