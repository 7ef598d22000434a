"""PostgreSQL for somebody who is root. The ways differ between machines; each is tried where it exists."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli.stack.directory import DataDirectory
from cli.stack.errors import StackError
from cli.stack.guard import Guard
from cli.stack.ports import PortClaims
from cli.stack.postgres import postgres
from cli.stack.privileges import AS_WE_ARE, Privileges, as_account, unprivileged
from cli.stack.runner import PartRunner
from cli.stack.wheels import postgres_programs

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every account may pass through, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o711)
        yield Path(name)


def initialize(cluster: Path, privileges: Privileges) -> subprocess.CompletedProcess[str]:
    cluster.mkdir()
    privileges.hand_over(cluster, reach=(postgres_programs() / "initdb",))
    return subprocess.run(
        (*privileges.prefix, postgres_programs() / "initdb", "-D", cluster, "-U", "perdure", "--no-sync"),
        capture_output=True,
        text=True,
        user=privileges.user,
        group=privileges.group,
        extra_groups=None if privileges.user is None else (),
        cwd="/",
    )


def test_the_chosen_way_works_on_this_machine(tmp_path: Path) -> None:
    done = initialize(tmp_path / "cluster", unprivileged())
    assert done.returncode == 0, done.stderr


@root_only
def test_an_account_without_a_way_in_is_told_what_to_do(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(StackError, match=rf"cannot enter {closed}.*--data-dir.*chmod o\+x"):
        as_account("nobody").hand_over(closed / "data" / "postgres")


@root_only
def test_files_change_hands_and_come_back(tmp_path: Path) -> None:
    inner = tmp_path / "data" / "base"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    nobody = as_account("nobody")
    assert nobody.user is not None
    Privileges(user=nobody.user, group=nobody.group).give(tmp_path / "data")
    assert (inner / "file").stat().st_uid == nobody.user
    AS_WE_ARE.hand_over(tmp_path / "data")
    assert (inner / "file").stat().st_uid == 0


@root_only
async def test_without_namespaces_postgres_runs_as_an_account_of_its_own(open_directory: Path) -> None:
    nobody = as_account("nobody")
    try:
        nobody.hand_over(reach=(postgres_programs() / "postgres",))
    except StackError:
        pytest.skip("this checkout is where no other account can enter")
    directory = DataDirectory(open_directory / "data")
    await directory.lock()
    guard = Guard(directory.lock_descriptor)
    claims = PortClaims()
    port = claims.choose(["postgres"], asked={"postgres": 0}, previous={}, hosts={})["postgres"]
    part = postgres(directory, port, {"PATH": "/usr/bin:/bin"}, nobody)
    runner = PartRunner(part, directory.log("postgres"), guard, lambda name, event: None, asyncio.Event())
    try:
        await runner.start()
        assert runner.child
        assert psutil.Process(runner.child.pid).uids().real == nobody.user
    finally:
        await runner.stop()
        guard.close()
        claims.release()
        directory.unlock()
