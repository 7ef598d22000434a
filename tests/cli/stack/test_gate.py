"""Programs that start early wait for what they need with their imports done."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cli.stack.directory import DataDirectory
from cli.stack.errors import PartFailed
from cli.stack.guard import Guard
from cli.stack.part import Command, Part
from cli.stack.runner import PartRunner

_PROGRAM = """
import pathlib, sys
from cli.stack import gate
pathlib.Path(sys.argv[1], "imported").touch()
gate.wait()
pathlib.Path(sys.argv[1], "passed").touch()
"""


@pytest_asyncio.fixture
async def runner(tmp_path: Path) -> AsyncIterator[PartRunner]:
    directory = DataDirectory(tmp_path)
    await directory.lock()
    guard = Guard(directory.lock_descriptor)
    root = str(Path(__file__).parent.parent.parent.parent)
    command = Command(argv=(sys.executable, "-c", _PROGRAM, str(tmp_path)), environment={"PYTHONPATH": root})
    part = Part(name="early", command=command, early=True, once=True)
    runner = PartRunner(part, directory.log("early"), guard, lambda name, event: None, asyncio.Event())
    yield runner
    await runner.stop()
    guard.close()
    directory.unlock()


async def imported(directory: Path) -> None:
    while not (directory / "imported").exists():  # noqa: ASYNC110 - made by another process
        await asyncio.sleep(0.01)


async def test_it_imports_at_once_and_goes_on_when_its_needs_are_ready(
    runner: PartRunner, tmp_path: Path
) -> None:
    needs_are_ready = asyncio.Event()

    async def needs() -> None:
        await needs_are_ready.wait()

    starting = asyncio.create_task(runner.start(needs))
    await imported(tmp_path)
    assert not (tmp_path / "passed").exists()
    needs_are_ready.set()
    await starting
    assert (tmp_path / "passed").exists()


async def test_it_is_ended_when_what_it_needs_cannot_be_had(runner: PartRunner, tmp_path: Path) -> None:
    async def needs() -> None:
        await imported(tmp_path)
        raise PartFailed("other", "failed", tmp_path, [])

    with pytest.raises(PartFailed, match="other failed"):
        await runner.start(needs)
    assert runner.child is None
    assert not (tmp_path / "passed").exists()


async def test_started_alone_it_finds_no_gate(runner: PartRunner, tmp_path: Path) -> None:
    await runner.start()
    assert (tmp_path / "passed").exists()
