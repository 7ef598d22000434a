"""Real servers for every test that needs one: started once, shared, each test with data of its own."""

import ast
import functools
import gc
import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.stack import Stack, StackOptions
from models.migrate import upgrade
from runtime.database import open_engine


@pytest.fixture(scope="session", autouse=True)
def undisturbed_parsing() -> Generator[None]:
    """No garbage collection while an AST is made. CPython 3.11 counts its depth in one place for all: where a
    finalizer logs a traceback, which is told with the help of another AST, the first one fails with "AST
    constructor recursion depth mismatch". Hypothesis parses lambdas in the middle of tests."""
    parse = ast.parse

    @functools.wraps(parse)
    def undisturbed(*args: Any, **kwargs: Any) -> Any:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return parse(*args, **kwargs)
        finally:
            if was_enabled:
                gc.enable()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ast, "parse", undisturbed)
        yield


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
