"""Following and ending processes."""

from uuid import uuid4

import pytest

from tests.activities.tools.sandboxed import Chat
from workspace.client import Workspaces


async def test_a_snapshot_of_what_runs_is_no_failure(chat: Chat) -> None:
    started = await chat.call("execute", command="echo hello; sleep 1000 &", run_in_background=True)
    started = await chat.call("execute", command="echo hello; exec sleep 1000", run_in_background=True)
    process = started["background_process_id"]
    result = await chat.call("process_output", process_id=process, wait_timeout="100ms")
    assert result["success"]
    assert result["exit_code"] == -1
    assert result["output"] == "hello\n"
    assert result["background_process_id"] == process
    assert "error" not in result
    assert (await chat.call("process_output", process_id=process, wait_timeout="0s"))["success"]


async def test_the_list_tells_running_from_ended_ones(workspaces: Workspaces) -> None:
    chat = Chat(uuid4(), workspaces)
    assert await chat.call("process_list") == {"processes": []}
    await chat.call("execute", command="exit 4", workdir="/usr")
    await chat.call("execute", command="sleep 1000 &")
    ended, running = (await chat.call("process_list"))["processes"]
    assert ended["exited_at"] >= ended["started_at"]
    assert {key: ended[key] for key in ("command", "workdir", "background", "running", "exit_code")} == {
        **{"command": "exit 4", "workdir": "/usr", "background": False, "running": False, "exit_code": 4}
    }
    assert {key: running[key] for key in ("command", "background", "running")} == {
        **{"command": "sleep 1000", "background": True, "running": True}
    }
    assert "exit_code" not in running
    await workspaces.of(chat.id).shut_down()


@pytest.mark.parametrize(("signal", "exit_code"), [("terminate", 143), ("kill", 137)])
async def test_a_process_is_ended_with_what_it_started(chat: Chat, signal: str, exit_code: int) -> None:
    mark = f"{signal}-{uuid4().hex}"
    command = f"python3 -c 'import time; time.sleep(1000)' {mark} & sleep 1000"
    started = await chat.call("execute", command=command, run_in_background=True)
    process = started["background_process_id"]
    result = await chat.call("process_signal", process_id=process, signal=signal)
    assert result["success"]
    assert process in result["message"]
    assert (await chat.call("process_output", process_id=process))["exit_code"] == exit_code
    assert (await chat.call("execute", command=f"pgrep -f '[^]]{mark}'"))["exit_code"] == 1
    again = await chat.call("process_signal", process_id=process, signal=signal)
    assert again == {"success": False, "message": f"Process {process} is not running any more."}


async def test_a_process_that_is_not_there(chat: Chat) -> None:
    told = "There is no process p1. The tool process_list shows those that there are."
    assert await chat.refusal("process_output", process_id="p1") == told
    assert await chat.refusal("process_signal", process_id="p1", signal="kill") == told


async def test_processes_belong_to_their_chat(chat: Chat, workspaces: Workspaces) -> None:
    started = await chat.call("execute", command="sleep 1000 &")
    other = Chat(uuid4(), workspaces)
    process = started["background_process_id"]
    assert "no process" in await other.refusal("process_output", process_id=process)
    assert "no process" in await other.refusal("process_signal", process_id=process, signal="kill")
    await workspaces.of(other.id).shut_down()


@pytest.mark.parametrize("wait", ["5h", "soon"])
async def test_a_wait_that_is_none_is_refused(chat: Chat, wait: str) -> None:
    assert (await chat.refusal("process_output", process_id="p1", wait_timeout=wait)).startswith(
        "wait_timeout"
    )
