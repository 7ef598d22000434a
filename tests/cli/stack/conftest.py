"""Real stacks in directories of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from cli.stack import SERVERS, Stack, StackOptions

ANY_PORTS = {name: 0 for name in ("postgres", "valkey", "temporal", "temporal-http", "temporal-ui")}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def options(data_dir: Path) -> StackOptions:
    """The three servers on free ports."""
    return StackOptions(data_dir=data_dir, parts=SERVERS, ports=ANY_PORTS)


@pytest_asyncio.fixture(scope="session")
async def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack for the tests that leave it as they found it."""
    directory = tmp_path_factory.mktemp("shared")
    async with Stack(StackOptions(data_dir=directory, parts=SERVERS, ports=ANY_PORTS)) as stack:
        yield stack


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def living(processes: list[psutil.Process]) -> list[str]:
    """Those that still run. Zombies are dead: their parent has only not looked yet."""
    found: list[str] = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {process.name()}")
        except psutil.NoSuchProcess:
            continue
    return found
