"""A whole Perdure, all processes of its own but the model, which the tests hold in their hands."""

from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from temporalio.client import Client

from cli.stack import Stack
from runtime.database import driver_url
from runtime.redis import open_redis
from tests.activities.providers.request_rules.checked import CheckedModel
from tests.durable.caller import Caller
from tests.durable.calling import calling
from tests.durable.histories import connect
from tests.durable.processes import SHORT_RUNS, ToolWorker, another_api, whole_perdure
from tests.durable.rows import Rows
from tests.durable.side_effects import Effects
from tests.durable.talks import Talk, offered_models


@pytest.fixture(scope="package")
async def model() -> AsyncGenerator[CheckedModel]:
    async with CheckedModel() as model:
        yield model


@pytest.fixture(scope="package")
async def perdure(tmp_path_factory: pytest.TempPathFactory, model: CheckedModel) -> AsyncGenerator[Stack]:
    """A stack whose parts a test may kill and start; it leaves all of them running."""
    async with Stack(whole_perdure(tmp_path_factory.mktemp("perdure"), model.base_url)) as stack:
        yield stack


@pytest.fixture(scope="package")
async def rows(perdure: Stack) -> AsyncGenerator[Rows]:
    # no pool: these tests kill the server under it
    engine = create_async_engine(driver_url(perdure.database_url), poolclass=NullPool)
    yield Rows(engine)
    await engine.dispose()


@pytest.fixture
async def redis(perdure: Stack) -> AsyncGenerator[Redis]:
    client = open_redis(perdure.redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def caller(perdure: Stack, model: CheckedModel, rows: Rows) -> AsyncGenerator[Caller]:
    async with calling(perdure, perdure.api_url, rows, model) as caller:
        yield caller


@pytest.fixture(scope="package")
async def temporal(perdure: Stack) -> Client:
    """A client of Temporal, for looking at what it keeps."""
    return await connect(perdure)


@pytest.fixture(scope="package")
async def hasty_api(perdure: Stack) -> AsyncGenerator[str]:
    """An API whose chats have workflows that end soon and continue as new often."""
    async with another_api(perdure, **SHORT_RUNS) as url:
        yield url


@pytest.fixture
async def hasty(perdure: Stack, hasty_api: str, model: CheckedModel, rows: Rows) -> AsyncGenerator[Caller]:
    """A client of that API."""
    async with calling(perdure, hasty_api, rows, model) as caller:
        yield caller


@pytest.fixture(scope="module")
async def worker(perdure: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ToolWorker]:
    """A worker with the tools of `side_effects`, in place of the stack's own while tests of it run."""
    worker = ToolWorker(perdure, tmp_path_factory.mktemp("effects"))
    await perdure.stop("worker")
    await worker.start()
    yield worker
    await worker.kill()
    await perdure.start("worker")


@pytest.fixture
def effects(worker: ToolWorker) -> Effects:
    return Effects(worker.effects)


@pytest.fixture
def word() -> str:
    return f"w{uuid4().hex[:8]}"


@pytest.fixture(scope="package")
async def models(perdure: Stack, model: CheckedModel, rows: Rows) -> dict[str, str]:
    """One model of each kind, by ids of their configurations."""
    return await offered_models(perdure, model, rows)


@pytest.fixture
def talk(caller: Caller, model: CheckedModel, models: dict[str, str]) -> Talk:
    return Talk(caller, model, models)
