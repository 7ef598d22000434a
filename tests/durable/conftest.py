"""A whole Perdure, all processes of its own but the model, which the tests hold in their hands."""

import os
from collections.abc import AsyncGenerator

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from activities.providers.demo import DemoModel
from cli.stack import Stack, StackOptions
from runtime.database import driver_url
from tests.durable.caller import Caller
from tests.durable.rows import Rows


@pytest.fixture(scope="package")
async def model() -> AsyncGenerator[DemoModel]:
    async with DemoModel() as model:
        yield model


@pytest.fixture(scope="package")
async def perdure(tmp_path_factory: pytest.TempPathFactory, model: DemoModel) -> AsyncGenerator[Stack]:
    """A stack whose parts a test may kill and start; it leaves all of them running."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")}
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("perdure"),
        ports=dict.fromkeys(
            ("postgres", "valkey", "temporal", "temporal-ui", "temporal-http", "api", "worker-metrics"), 0
        ),
        parts=("postgres", "valkey", "temporal", "migrate", "worker", "api"),
        environment={
            **kept,
            "PERDURE_DEMO_MODEL_URL": model.base_url,
            "PERDURE_SWEEP_INTERVAL_SECONDS": "1",
            "PERDURE_SWEEP_AGE_SECONDS": "4",
            "PERDURE_LOG_LEVEL": "info",
        },
    )
    async with Stack(options) as stack:
        yield stack


@pytest.fixture(scope="package")
async def rows(perdure: Stack) -> AsyncGenerator[Rows]:
    # no pool: these tests kill the server under it
    engine = create_async_engine(driver_url(perdure.database_url), poolclass=NullPool)
    yield Rows(engine)
    await engine.dispose()


@pytest.fixture
async def caller(perdure: Stack, model: DemoModel, rows: Rows) -> AsyncGenerator[Caller]:
    """A client of the API; what it started is over when the test is."""
    token = perdure.token
    assert token is not None
    async with Caller(perdure.api_url, token, rows) as caller:
        yield caller
    model.clear()
