"""Each act at most once, whoever dies: counted in a file."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.workspace.box import Box
from workspace.claims import Claim, Claims
from workspace.client import Workspaces
from workspace.errors import KeyConflict, OutcomeUnknown, ProcessNotFound
from workspace.sandbox.bubblewrap import Bubblewrap, Limits

COUNT = "echo ran >> count; echo begun; while [ ! -e go ]; do sleep .02; done; echo done"
ROOT = Path(__file__).parents[2]


def ran(box: Box) -> int:
    path = box.layout.files / "count"
    return len(path.read_text().splitlines()) if path.exists() else 0


async def test_the_same_call_finds_its_process_again(box: Box) -> None:
    first = await box.workspace.start("1.1.a", COUNT)
    again = await asyncio.gather(*(box.workspace.start("1.1.a", COUNT) for _ in range(5)))
    assert {process.id for process in again} == {first.id}
    await box.workspace.write_file("w", "go", "")
    output = await box.workspace.read_output(first.id, 10)
    assert output.head == "begun\ndone\n"
    assert (await box.workspace.start("1.1.a", COUNT)).id == first.id
    assert ran(box) == 1


async def test_the_same_call_with_another_command_is_refused(box: Box) -> None:
    await box.says("true")
    await box.workspace.start("1.1.a", "echo one >> count")
    with pytest.raises(KeyConflict):
        await box.workspace.start("1.1.a", "echo two >> count")


@pytest.mark.parametrize("death", ["before", "sent", "after"])
async def test_a_worker_killed_around_a_start(
    box: Box, workspaces: Workspaces, death: str, sandbox: Bubblewrap
) -> None:
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.workspace.dying_worker", death, str(box.layout.path)),
        *(str(sandbox.program), sandbox.confinement.name, COUNT),
        cwd=ROOT,
    )
    assert await worker.wait() == -signal.SIGKILL
    process = await box.workspace.start("1.1.a", COUNT)  # another worker, the same call
    await box.workspace.write_file("w", "go", "")
    output = await box.workspace.read_output(process.id, 10)
    assert output.head == "begun\ndone\n"
    assert ran(box) == 1


async def test_a_process_whose_agent_was_killed_has_an_unknown_end(box: Box) -> None:
    process = await box.workspace.start("1.1.a", COUNT)
    while ran(box) == 0:
        await box.workspace.read_output(process.id, 0.05)
    box.kill_agent()
    again = await box.workspace.start("1.1.a", COUNT)
    assert (await box.workspace.read_output(again.id)).process.state == "lost"
    assert [each.state for each in await box.workspace.list_processes()] == ["lost"]
    assert ran(box) == 1


async def test_an_act_that_no_agent_remembers_is_unknown(box: Box) -> None:
    await box.workspace.start("1.1.a", "echo ran >> count; rm -rf /run/perdure/records/*")
    await box.workspace.write_file("1.1.b", "text", "first")
    while ran(box) == 0:
        await box.workspace.list_processes()
    box.kill_agent()
    await asyncio.to_thread(lambda: [path.unlink() for path in box.layout.records.rglob("*.json")])
    with pytest.raises(OutcomeUnknown):
        await box.workspace.start("1.1.a", "echo ran >> count; rm -rf /run/perdure/records/*")
    await box.says("echo changed > text")
    with pytest.raises(OutcomeUnknown):
        await box.workspace.write_file("1.1.b", "text", "first")
    assert await box.says("cat text") == "changed\n"
    assert ran(box) == 1


async def test_what_ended_is_remembered_by_the_next_agent(box: Box) -> None:
    output = await box.run("echo out; exit 3")
    await box.workspace.write_file("w", "text", "first")
    await box.workspace.shut_down()
    assert await box.workspace.read_output(output.process.id) == output
    await box.says("echo changed > text")
    await box.workspace.write_file("w", "text", "first")  # answered, not done again
    assert await box.says("cat text") == "changed\n"


async def test_an_idle_agent_ends_and_the_next_request_starts_another(
    tmp_path: Path, sandbox: Bubblewrap
) -> None:
    limits = Limits(memory_bytes=256 * 1024**2, processes=48, idle_seconds=0.05)
    idle = Workspaces(tmp_path / "idle", Bubblewrap(sandbox.program, limits, sandbox.confinement))
    chat = uuid4()
    box = Box(idle.of(chat), idle.layout(chat))
    output = await box.run("echo out; sleep .3")
    await asyncio.to_thread(box.await_no_agent)
    assert await box.workspace.read_output(output.process.id) == output
    await box.workspace.shut_down()


async def test_what_was_left_behind_ends_with_the_agent(box: Box) -> None:
    await box.workspace.start("1.1.a", "sleep 1000")
    await box.says("setsid sleep 1000 >/dev/null 2>&1 & echo left")
    await box.workspace.shut_down()
    await asyncio.to_thread(box.await_no_agent)


async def test_commands_cannot_kill_their_agent(box: Box) -> None:
    output = await box.run("kill -9 1; kill -9 -1; echo still here")
    assert output.process.exit_code in (0, -signal.SIGKILL)
    before = (await box.workspace.list_processes())[0]
    assert before.state == "exited"


async def test_orphans_leave_no_zombies(box: Box) -> None:
    for _ in range(3):
        await box.says("(sleep .05 &) ; (sleep .05 &) ; true")
    told = await box.says("sleep .3; ps -e -o stat= | grep -c Z || true")
    assert told == "0\n"


async def test_a_cancelled_call_is_killed_with_all_it_started(box: Box) -> None:
    process = await box.workspace.start("1.1.a", "sleep 1000 & sleep 1000; echo never")
    waiting = asyncio.create_task(box.workspace.read_output(process.id, 60))
    await box.workspace.cancel("1.1.a")
    assert (await waiting).process.exit_code == -signal.SIGKILL
    assert await box.says("pgrep -c sleep || true") == "0\n"


async def test_a_call_cancelled_before_it_began_never_begins(box: Box) -> None:
    await box.says("true")
    await box.workspace.cancel("1.1.a")
    with pytest.raises(Exception, match="cancelled"):
        await box.workspace.start("1.1.a", "echo ran >> count")
    assert ran(box) == 0


async def test_cancelling_starts_no_agent(box: Box) -> None:
    await box.workspace.cancel("1.1.a")
    assert not box.layout.path.exists()


async def test_signals_are_sent_once(box: Box) -> None:
    process = await box.workspace.start(
        "1.1.a", "trap 'echo term >> count' TERM; echo begun; while [ ! -e go ]; do sleep .02; done"
    )
    while not (await box.workspace.read_output(process.id, 0.02)).head:
        pass
    for _ in range(3):
        await box.workspace.signal("1.1.s", process.id, "terminate")
    await box.workspace.write_file("w", "go", "")
    await box.workspace.read_output(process.id, 10)
    assert ran(box) == 1
    with pytest.raises(ProcessNotFound):
        await box.workspace.signal("1.1.t", "nobody", "kill")


async def test_many_ask_at_once_and_one_agent_answers(workspaces: Workspaces) -> None:
    chat = uuid4()
    askers = [workspaces.of(chat) for _ in range(8)]
    try:
        await asyncio.gather(
            *(asker.start(str(number), f"echo {number} >> count") for number, asker in enumerate(askers))
        )
        box = Box(askers[0], workspaces.layout(chat))
        while len(await box.workspace.list_processes()) < 8 or any(
            process.state == "running" for process in await box.workspace.list_processes()
        ):
            pass
        assert sorted((box.layout.files / "count").read_text().split()) == [str(n) for n in range(8)]
    finally:
        await askers[0].shut_down()


def test_claims_hold_no_content(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "claims")
    assert claims.take("../../call", Claim("digest", "a")) is None
    assert claims.take("../../call", Claim("other", "b")) == Claim("digest", "a")
    (path,) = (tmp_path / "claims").iterdir()
    assert json.loads(path.read_text()) == ["digest", "a"]


async def test_an_agent_is_nobodys_child(box: Box) -> None:
    before = set(psutil.Process().children(recursive=True))
    await box.says("true")
    assert set(psutil.Process().children(recursive=True)) <= before
