"""The launcher as a person uses it: a process that gets signals, or is killed."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from cli.stack.directory import read_record

from .conftest import family, living

_LAUNCH = """
import sys
from pathlib import Path
from cli.stack import SERVERS, StackOptions
from cli.stack.launcher import up

ports = dict.fromkeys(("postgres", "valkey", "temporal", "temporal-http", "temporal-ui"), 0)
options = StackOptions(data_dir=Path(sys.argv[1]), parts=SERVERS, ports=ports)
sys.exit(up(options, on_ready=lambda stack: print("READY", flush=True)))
"""


@asynccontextmanager
async def launched(data_dir: Path, until: bytes = b"READY") -> AsyncGenerator[asyncio.subprocess.Process]:
    """A launcher in a process of its own, from the line `until` on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _LAUNCH, str(data_dir)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout
    try:
        while until not in (line := await process.stdout.readline()):
            assert line, "the launcher ended too early"
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def gone(processes: list[psutil.Process]) -> None:
    """Wait until they have ended."""
    while living(processes):  # noqa: ASYNC110 - they are nobody's children any more
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_everything_and_is_a_success(tmp_path: Path, number: signal.Signals) -> None:
    async with launched(tmp_path) as launcher:
        processes = family(launcher.pid)
        launcher.send_signal(number)
        await launcher.communicate()
        assert launcher.returncode == 0
    assert living(processes) == []
    assert "pid" not in (read_record(tmp_path) or {})


async def test_a_signal_while_starting_stops_everything(tmp_path: Path) -> None:
    async with launched(tmp_path, until=b"starting") as launcher:
        launcher.send_signal(signal.SIGINT)
        await launcher.communicate()
        assert launcher.returncode == 0
    assert "pid" not in (read_record(tmp_path) or {})


async def test_killing_the_launcher_leaves_nothing_behind_and_it_can_be_started_again(tmp_path: Path) -> None:
    async with launched(tmp_path) as launcher:
        processes = family(launcher.pid)
        assert len(processes) > 4
        launcher.kill()
        # the second one waits for the guardian of the first
        async with launched(tmp_path) as second:
            assert living(processes) == []
            assert second.pid != launcher.pid


async def test_killing_launcher_and_guardian_leaves_a_directory_that_cleans_up(tmp_path: Path) -> None:
    async with launched(tmp_path) as launcher:
        processes = family(launcher.pid)
        guardian = next(process for process in processes if "guardian.py" in " ".join(process.cmdline()))
        guardian.kill()
        launcher.kill()
        async with launched(tmp_path):
            await gone(processes)


async def test_a_second_launcher_says_who_holds_the_directory(tmp_path: Path) -> None:
    async with launched(tmp_path) as first:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _LAUNCH, str(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        assert process.returncode == 1
        assert f"process {first.pid}" in said.decode()
        assert "--data-dir" in said.decode()
