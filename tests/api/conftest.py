"""The API on real servers, without a worker: nothing answers but what the API does by itself."""

from collections.abc import AsyncGenerator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.stack import Stack
from runtime.logging import configure_logging
from runtime.redis import open_redis
from runtime.secrets import new_master_key
from runtime.settings import Settings
from tests.api.door import Door
from tests.api.people import People, everybody
from tests.api.served import Served, make_organization, person, served


@pytest.fixture(scope="package")
def settings(stack: Stack, database_url: str) -> Settings:
    # nothing waits long: there is no worker to wait for
    return Settings(
        database_url=database_url,
        redis_url=stack.redis_url,
        task_queue="nobody",
        demo_model_url="http://127.0.0.1:1",
        master_keys=SecretStr(new_master_key()),
        command_timeout_seconds=0.3,
        poll_interval_seconds=0.2,
        sweep_interval_seconds=3600,
        access_check_seconds=0.2,
        # all callers without a token come from one address here
        rate_limit_per_minute_and_address=0,
    )


@pytest.fixture(scope="package")
async def api(stack: Stack, settings: Settings) -> AsyncGenerator[Served]:
    configure_logging("info", "console")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", stack.temporal_address)
        async with served(settings) as running:
            yield running


@pytest.fixture
async def door(api: Served, engine: AsyncEngine) -> AsyncGenerator[Door]:
    organization, model = await make_organization(engine)
    async with (
        person(engine, api.url, organization, "Ada") as owner,
        person(engine, api.url, organization, "Bob") as other,
    ):
        yield Door(api, engine, organization, model, owner, other)


@pytest.fixture
async def people(door: Door) -> AsyncGenerator[People]:
    async with everybody(door) as people:
        yield people


@pytest.fixture
def every_request_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where Redis answers late, because the machine is busy: else everybody would be let in then."""
    monkeypatch.setattr("api.auth.rate_limit._PATIENCE_SECONDS", 10.0)


@pytest.fixture(scope="package")
async def redis(stack: Stack) -> AsyncGenerator[Redis]:
    client = open_redis(stack.redis_url)
    yield client
    await client.aclose()
