"""Activities as a worker runs them: real rows, a real stream, the demo model at the far end of the wire."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.providers.anthropic import AnthropicProvider
from cli.stack import Stack
from runtime.redis import open_redis
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
    provider = AnthropicProvider(api_key="demo", base_url=one_demo_model.base_url, label="demo")
    yield Bench(await new_chat(engine, context_limit=100_000), redis, one_demo_model, provider)
    await provider.aclose()
    one_demo_model.check()
    await redis.aclose()
