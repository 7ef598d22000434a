"""Real servers for every test that needs one: started once, shared, each test with data of its own."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.stack import Stack, StackOptions
from models.migrate import upgrade
from runtime.database import open_engine


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stack]:
    """PostgreSQL, Valkey and Temporal. A test may kill and restart a server, and leaves it running."""
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("stack"),
        ports={name: 0 for name in ("postgres", "valkey", "temporal", "ui")},
        parts=("postgres", "valkey", "temporal"),
        environment={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    async with Stack(options) as running:
        yield running


@pytest.fixture(scope="session")
async def database_url(stack: Stack) -> str:
    """A database with all migrations."""
    upgrade(stack.database_url)
    return stack.database_url


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine]:
    engine = open_engine(database_url, pool_size=10)
    yield engine
    await engine.dispose()
