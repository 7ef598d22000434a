"""The stack as a program uses it, with the real servers."""

import asyncio
import contextlib
import socket
from pathlib import Path

import psutil
import psycopg
import pytest
import redis.asyncio
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from cli.stack import SERVERS, AlreadyRunning, PartFailed, PortTaken, Stack, StackError, StackOptions
from cli.stack.directory import read_record
from cli.stack.temporal import SEARCH_ATTRIBUTES

from .conftest import ANY_PORTS, family, living


async def query(stack: Stack, statement: str) -> object:
    async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as connection:
        cursor = await connection.execute(statement.encode())
        row = await cursor.fetchone() if cursor.description else None
        return row and row[0]


async def ping(stack: Stack) -> bool:
    async with redis.asyncio.from_url(stack.redis_url) as client:
        return bool(await client.set("stack-test", "1"))


async def test_all_three_servers_answer(shared_stack: Stack) -> None:
    assert await query(shared_stack, "SELECT 1") == 1
    assert await ping(shared_stack)
    client = await Client.connect(shared_stack.temporal_address)
    found = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="default")
    )
    assert set(SEARCH_ATTRIBUTES) <= set(found.custom_attributes)


async def test_postgres_keeps_what_it_acknowledged(shared_stack: Stack) -> None:
    assert await query(shared_stack, "SHOW fsync") == "on"
    assert await query(shared_stack, "SHOW synchronous_commit") == "on"


async def test_everything_listens_on_loopback_only(shared_stack: Stack) -> None:
    addresses: set[str] = set()
    for name in SERVERS:
        for process in family(shared_stack.pid(name) or 0):
            with contextlib.suppress(psutil.NoSuchProcess):  # PostgreSQL ends connections' processes at will
                connections = process.net_connections("tcp")
                addresses |= {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}


async def test_passwords_are_readable_by_their_owner_only(shared_stack: Stack) -> None:
    private = ["postgres.password", "valkey.password", "valkey.conf", "stack.json"]
    modes = {(shared_stack.directory.path / name).stat().st_mode & 0o777 for name in private}
    assert modes == {0o600}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(shared_stack.database_url.replace("perdure:", "perdure:wrong"))


async def test_a_stack_leaves_no_process_and_resumes_its_data(options: StackOptions, data_dir: Path) -> None:
    async with Stack(options) as stack:
        first_ports = dict(stack.ports)
        await query(stack, "CREATE TABLE kept AS SELECT 42 AS answer")
        processes = [process for name in SERVERS for process in family(stack.pid(name) or 0)]
        assert "pid" in (read_record(data_dir) or {})
    assert living(processes) == []
    assert "pid" not in (read_record(data_dir) or {})

    async with Stack(StackOptions(data_dir=data_dir, parts=SERVERS)) as stack:
        assert await query(stack, "SELECT answer FROM kept") == 42
        assert stack.ports == first_ports


async def test_a_second_stack_on_the_same_directory_is_refused(shared_stack: Stack) -> None:
    with pytest.raises(AlreadyRunning, match=f"process {psutil.Process().pid}"):
        await Stack(shared_stack.options).__aenter__()
    assert await ping(shared_stack)


async def test_two_directories_run_side_by_side_even_when_started_together(tmp_path: Path) -> None:
    both = [Stack(StackOptions(data_dir=tmp_path / name, parts=("valkey",))) for name in ("one", "two")]
    try:
        await asyncio.gather(*(stack.__aenter__() for stack in both))
        assert both[0].ports["valkey"] != both[1].ports["valkey"]
        assert [await ping(stack) for stack in both] == [True, True]
    finally:
        await asyncio.gather(*(stack.__aexit__(None, None, None) for stack in both))


async def test_a_taken_default_is_avoided_and_a_taken_choice_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port: int = other.getsockname()[1]
        asked = StackOptions(data_dir=tmp_path / "asked", parts=("valkey",), ports={"valkey": port})
        with pytest.raises(PortTaken, match=rf"port {port}, asked for with --valkey-port"):
            await Stack(asked).__aenter__()

        (tmp_path / "free").mkdir()
        (tmp_path / "free" / "stack.json").write_text(f'{{"ports": {{"valkey": {port}}}}}')
        async with Stack(StackOptions(data_dir=tmp_path / "free", parts=("valkey",))) as stack:
            assert stack.ports["valkey"] != port
            assert await ping(stack)


async def test_an_address_that_is_not_ours_is_refused_as_such(tmp_path: Path) -> None:
    options = StackOptions(data_dir=tmp_path, parts=("api",), host="192.0.2.1", ports={"api": 0})
    with pytest.raises(StackError, match=r"cannot listen on 192\.0\.2\.1.*--host"):
        await Stack(options).__aenter__()


async def test_a_part_that_was_killed_stays_down_until_started(shared_stack: Stack) -> None:
    for name in SERVERS:
        old = shared_stack.pid(name)
        await shared_stack.kill(name)
        assert shared_stack.pid(name) is None
        await shared_stack.start(name)
        assert shared_stack.pid(name) not in (None, old)
    assert await query(shared_stack, "SELECT 1") == 1
    assert await ping(shared_stack)


async def test_a_part_is_killed_with_all_it_has_started(shared_stack: Stack) -> None:
    pid = shared_stack.pid("postgres")
    assert pid is not None
    processes = family(pid)
    assert len(processes) > 1
    await shared_stack.kill("postgres")
    assert living(processes) == []
    await shared_stack.start("postgres")
    assert await query(shared_stack, "SELECT 1") == 1


async def test_a_part_that_dies_by_itself_is_started_again(shared_stack: Stack) -> None:
    for name in SERVERS:
        old = shared_stack.pid(name)
        await shared_stack.kill(name, restart=True)
        await shared_stack.ready(name)
        assert shared_stack.pid(name) not in (None, old)
    assert await query(shared_stack, "SELECT 1") == 1


async def test_a_frozen_part_goes_on_where_it_was(shared_stack: Stack) -> None:
    shared_stack.freeze("valkey")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await ping(shared_stack)
    shared_stack.thaw("valkey")
    assert await ping(shared_stack)


async def test_a_frozen_stack_can_be_stopped(tmp_path: Path) -> None:
    async with Stack(StackOptions(data_dir=tmp_path, parts=("postgres",), ports=ANY_PORTS)) as stack:
        processes = family(stack.pid("postgres") or 0)
        stack.freeze("postgres")
    assert living(processes) == []


async def test_a_part_that_cannot_start_is_named_with_its_reason_and_its_log(
    options: StackOptions, data_dir: Path
) -> None:
    async with Stack(StackOptions(data_dir=data_dir, parts=("postgres",), ports=ANY_PORTS)):
        pass
    (data_dir / "postgres" / "global" / "pg_control").write_bytes(b"not a control file")
    with pytest.raises(PartFailed) as failure:
        await Stack(options).__aenter__()
    assert failure.value.part == "postgres"
    assert failure.value.log == data_dir / "logs" / "postgres.log"
    assert any("FATAL" in line or "PANIC" in line for line in failure.value.tail)
    assert str(failure.value.log) in str(failure.value)
    # the others were stopped, and the directory is free again
    assert "pid" not in (read_record(data_dir) or {})


async def test_a_part_that_keeps_dying_is_given_up_with_its_last_words(
    tmp_path: Path,
) -> None:
    async with Stack(StackOptions(data_dir=tmp_path, parts=("valkey",), ports=ANY_PORTS)) as stack:
        (tmp_path / "valkey.conf").write_text("nonsense yes\n")
        await stack.kill("valkey", restart=True)
        async with asyncio.timeout(30):
            with pytest.raises(PartFailed, match="died 5 times within a minute") as failure:
                await stack.wait()
    assert any("nonsense" in line for line in failure.value.tail)


async def test_an_interrupted_first_start_is_begun_anew(tmp_path: Path) -> None:
    options = StackOptions(data_dir=tmp_path, parts=("postgres",), ports=ANY_PORTS)
    starting = asyncio.create_task(Stack(options).__aenter__())
    while not (tmp_path / "postgres.new").exists():  # noqa: ASYNC110 - made by another process
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    async with Stack(options) as stack:
        assert await query(stack, "SELECT 1") == 1
