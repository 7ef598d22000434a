"""What a command can see and do, tried from inside."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import pytest

from tests.workspace.box import Box
from workspace.client import Workspaces
from workspace.sandbox.bubblewrap import Bubblewrap, Confinement, Limits

REPOSITORY = Path(__file__).parents[2]


async def test_the_environment_of_the_worker_is_not_there(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-very-secret-key")
    told = await box.says("env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; true")
    assert "HOME=/workspace" in told
    assert "secret" not in told
    assert {line.partition("=")[0] for line in (await box.says("env -0 | tr '\\0' '\\n'")).split()} == {
        *("HOME", "LANG", "LOGNAME", "PATH", "PWD", "USER")
    }


@pytest.mark.parametrize(
    "path", [str(REPOSITORY / "pyproject.toml"), "/etc/shadow", "/sys/kernel", "/home/x"]
)
async def test_files_of_the_machine_are_not_there(box: Box, path: str) -> None:
    assert (await box.run(f"test -e {path}")).process.exit_code == 1


async def test_only_the_interpreter_is_seen_of_a_home_directory(box: Box, tmp_path: Path) -> None:
    told = await box.says("find /root /home /opt /srv /mnt /media -maxdepth 1 2>/dev/null; true")
    assert set(told.split()) <= {"/root", "/root/.pyenv", "/root/.local", "/home", "/opt", "/opt/python"}
    (tmp_path / "host.txt").write_text("of the host")
    assert (await box.run(f"cat {tmp_path}/host.txt /tmp/host.txt")).process.exit_code == 1


async def test_a_link_out_of_the_workspace_leads_nowhere(box: Box, tmp_path: Path) -> None:
    (tmp_path / "host.txt").write_text("of the host")
    await box.says(f"ln -s {tmp_path}/host.txt link")
    with pytest.raises(Exception, match="cannot be read"):
        await box.workspace.read_file("link", 1, 10)


async def test_another_chat_is_not_there(box: Box, workspaces: Workspaces) -> None:
    other_id = uuid4()
    other = workspaces.of(other_id)
    try:
        await other.write_file("1", "secret.txt", "of another chat")
        look = "find / -path /proc -prune -o -path /usr -prune -o -name secret.txt -print 2>/dev/null; true"
        assert await box.says(look) == ""
        assert (await box.run(f"ls {workspaces.layout(other_id).path}")).process.exit_code == 2
    finally:
        await other.shut_down()


async def test_only_processes_of_the_sandbox_are_seen_and_reached(box: Box) -> None:
    told = await box.says("ls /proc | grep -c '^[0-9]'; readlink /proc/self/ns/pid")
    assert int(told.split()[0]) < 10
    assert told.split()[1] != os.readlink("/proc/self/ns/pid")
    assert (await box.run(f"kill -0 {os.getpid() + 100_000}")).process.exit_code == 1


@pytest.mark.parametrize("path", ["/usr/x", "/etc/x", "/x", "/dev/x", "/run/perdure/program/x"])
async def test_the_system_cannot_be_written(box: Box, path: str) -> None:
    assert (await box.run(f"touch {path}")).process.exit_code == 1


async def test_files_stay_and_tmp_is_private(box: Box) -> None:
    await box.says("echo kept > kept; echo gone > /tmp/gone; echo shared > /dev/shm/x")
    assert (box.layout.files / "kept").read_text() == "kept\n"
    assert await box.says("cat /tmp/gone") == "gone\n"
    assert "gone" not in os.listdir("/tmp")


async def test_there_are_no_privileges_to_have(box: Box, confinement: Confinement) -> None:
    told = await box.says("grep -E 'CapEff|CapPrm|NoNewPrivs' /proc/self/status; id -u")
    assert told.split()[:-1] == ["CapPrm:", "0" * 16, "CapEff:", "0" * 16, "NoNewPrivs:", "1"]
    assert told.split()[-1] != "0"
    assert (await box.run("mount -t tmpfs none /workspace")).process.exit_code != 0
    if confinement is Confinement.ACCOUNT:
        assert box.layout.files.stat().st_uid >= 0x7000_0000


async def listening() -> tuple[asyncio.Server, asyncio.Event]:
    """A server on the machine's loopback, and whether somebody reached it."""
    reached = asyncio.Event()

    def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.close()

    return await asyncio.start_server(greet, "127.0.0.1", 0), reached


CONNECT = "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 2)'"


async def test_a_server_on_the_loopback_of_the_machine_is_not_reached(box: Box) -> None:
    server, reached = await listening()
    async with server:
        output = await box.run(CONNECT.format(port=server.sockets[0].getsockname()[1]))
    assert "ConnectionRefusedError" in output.head
    assert not reached.is_set()


async def test_commands_of_a_chat_reach_each_other(box: Box) -> None:
    await box.workspace.start("server", "python3 -m http.server 8000", background=True)
    told = await box.says(
        "for i in $(seq 200); do "
        + CONNECT.format(port=8000)
        + " 2>/dev/null && echo yes && exit; sleep .05; done"
    )
    assert told == "yes\n"


async def test_the_network_is_there_when_it_is_allowed(tmp_path: Path, sandbox: Bubblewrap) -> None:
    limits = Limits(memory_bytes=256 * 1024**2, processes=48, network=True)
    chat = uuid4()
    open_box = Workspaces(tmp_path / "open", Bubblewrap(sandbox.program, limits, sandbox.confinement))
    box = Box(open_box.of(chat), open_box.layout(chat))
    server, reached = await listening()
    try:
        async with server:
            await box.says(CONNECT.format(port=server.sockets[0].getsockname()[1]))
            await reached.wait()
    finally:
        await box.workspace.shut_down()


async def test_memory_is_limited(box: Box) -> None:
    assert "MemoryError" in (await box.run("python3 -c 'bytearray(300 << 20)'")).head
    assert (await box.run("python3 -c 'bytearray(100 << 20)'")).process.exit_code == 0
    assert "No space left" in (await box.run("head -c 300M /dev/zero > /tmp/x")).head


async def test_processes_are_limited(box: Box, confinement: Confinement) -> None:
    if os.geteuid() == 0 and confinement is Confinement.USER_NAMESPACE:
        pytest.skip("the kernel does not count the processes of root")
    output = await box.run("for i in $(seq 100); do sleep 5 & done")
    assert "Cannot fork" in output.head or "Resource temporarily unavailable" in output.head
