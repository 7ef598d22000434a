"""Commands: how they are run, and what the model is told of them."""

import asyncio
from uuid import uuid4

import pytest

from activities.tools.duration import seconds_of
from activities.tools.execute import execute, note_on, without_ampersand
from activities.tools.registry import input_schema
from activities.tools.tool import OutcomeUnknown, ToolContext, ToolError
from tests.activities.tools.sandboxed import Chat
from workspace.client import Workspaces


@pytest.mark.parametrize(
    ("command", "background", "run", "in_background"),
    [
        ("sleep 5", False, "sleep 5", False),
        ("sleep 5 &", False, "sleep 5", True),
        ("sleep 5&  \n", False, "sleep 5", True),
        ("true &&", False, "true &&", False),
        ("true |&", False, "true |&", False),
        ("a & b", False, "a & b", False),
        ("a && b &", False, "a && b", True),
        ("sleep 5 &", True, "sleep 5 &", True),
        ("sleep 5", True, "sleep 5", True),
        ("&", False, "", True),
    ],
)
def test_an_ampersand_at_the_end_means_background(
    command: str, background: bool, run: str, in_background: bool
) -> None:
    assert without_ampersand(command, background=background) == (run, in_background)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1m30s", 90), ("4h", 14400), ("500ms", 0.5), (" 1.5H ", 5400), ("0s", 0)],
)
def test_spans_of_time(text: str, seconds: float) -> None:
    assert seconds_of(text, "timeout", zero=True) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "5 s", "1d", "4h1s", "0s", "0ms", "1m30"])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(ToolError, match="timeout: "):
        seconds_of(text, "timeout")


@pytest.mark.parametrize(
    ("command", "hinted"),
    [("cat a.txt", True), ("grep -n x a.py", True), ("cat a | wc", False), ("ls", False), ("cat 'a", False)],
)
def test_a_command_that_only_shows_a_file_earns_a_hint(command: str, hinted: bool) -> None:
    assert (note_on(command) is not None) == hinted


def test_every_parameter_is_described(workspaces: Workspaces) -> None:
    schema = input_schema(execute(workspaces).input_model)
    assert schema["required"] == ["command"]
    assert set(schema["properties"]) == {
        *("command", "model_intent", "timeout", "workdir", "run_in_background")
    }
    assert all(field["description"] for field in schema["properties"].values())


async def test_a_command_that_succeeds(chat: Chat) -> None:
    result = await chat.call("execute", command="echo out; echo err >&2", model_intent="trying")
    assert result.pop("wall_duration_ms") >= 0
    assert result == {"success": True, "output": "out\nerr\n", "exit_code": 0}


async def test_a_command_that_fails_is_no_error_of_the_tool(chat: Chat) -> None:
    result = await chat.call("execute", command="echo no; exit 3")
    assert (result["success"], result["exit_code"], result["output"]) == (False, 3, "no\n")


async def test_a_command_ended_by_a_signal_is_told_as_shells_do(chat: Chat) -> None:
    assert (await chat.call("execute", command="kill -TERM $$"))["exit_code"] == 143


async def test_no_output_is_left_out(chat: Chat) -> None:
    assert "output" not in await chat.call("execute", command="true")


async def test_the_environment_of_programs_that_would_ask(chat: Chat) -> None:
    told = (await chat.call("execute", command="env"))["output"].split()
    assert {
        "CODER_CHAT_AGENT=true",
        "EDITOR=true",
        "GIT_EDITOR=true",
        "GIT_PAGER=cat",
        "GIT_SEQUENCE_EDITOR=true",
        "GIT_TERMINAL_PROMPT=0",
        "NO_COLOR=1",
        "PAGER=cat",
        "TERM=dumb",
        "VISUAL=true",
    } <= set(told)


async def test_where_it_runs(chat: Chat) -> None:
    assert (await chat.call("execute", command="pwd"))["output"] == "/workspace\n"
    assert (await chat.call("execute", command="pwd", workdir="/usr"))["output"] == "/usr\n"
    await chat.call("execute", command="mkdir -p sub")
    for name in ("sub", "~/sub", "/workspace/sub"):
        assert (await chat.call("execute", command="pwd", workdir=name))["output"] == "/workspace/sub\n"


async def test_it_reads_nothing(chat: Chat) -> None:
    assert (await chat.call("execute", command="cat; echo over"))["output"] == "over\n"


@pytest.mark.parametrize("background", [False, True])
async def test_a_command_that_cannot_start_is_told_in_the_result(chat: Chat, background: bool) -> None:
    result = await chat.call("execute", command="true", workdir="/nowhere", run_in_background=background)
    assert not result["success"]
    assert "could not be started: /nowhere" in result["error"]
    assert "background_process_id" not in result


@pytest.mark.parametrize("command", ["", "  ", "&", " & "])
async def test_an_empty_command_is_refused(chat: Chat, command: str) -> None:
    assert (await chat.refusal("execute", command=command)).startswith("command: it is empty")


async def test_a_nul_in_a_command_is_told(chat: Chat) -> None:
    result = await chat.call("execute", command="echo a\0b")
    assert not result["success"]
    assert "null byte" in result["error"]


async def test_at_its_timeout_a_command_keeps_running(chat: Chat) -> None:
    command = "echo first; while [ ! -e go ]; do sleep .02; done; echo second"
    result = await chat.call("execute", command=command, timeout="200ms")
    assert (result["success"], result["exit_code"], result["output"]) == (False, -1, "first\n")
    assert "did not end within 200ms" in result["error"]
    await chat.call("write_file", path="go", content="")
    process = result["background_process_id"]
    later = await chat.call("process_output", process_id=process)
    assert (later["success"], later["exit_code"], later["output"]) == (True, 0, "first\nsecond\n")
    assert "background_process_id" not in later


async def test_in_the_background(chat: Chat) -> None:
    result = await chat.call("execute", command="echo quick &")
    process = result.pop("background_process_id")
    assert result.pop("wall_duration_ms") >= 0
    assert result == {"success": True, "exit_code": 0}
    assert (await chat.call("process_output", process_id=process))["output"] == "quick\n"


async def test_of_much_output_beginning_and_end_are_told(chat: Chat) -> None:
    result = await chat.call("execute", command="seq 100000")
    assert result["output"].startswith("1\n2\n")
    assert result["output"].endswith("\n100000\n")
    assert len(result["output"].encode()) <= 32 * 1024
    assert "bytes left out here" in result["output"]
    told = result["truncated"]
    assert told["original_bytes"] == told["retained_bytes"] + told["omitted_bytes"] == 588895
    assert (told["retained_bytes"], told["strategy"]) == (32768, "head_tail")


async def test_bytes_that_are_no_text(chat: Chat) -> None:
    result = await chat.call("execute", command=r"printf 'a\000\377b'")
    assert result["output"] == "a\ufffd\ufffdb"
    result = await chat.call("execute", command="head -c 32000 /dev/zero")
    assert len(result["output"].encode()) <= 32 * 1024


async def test_a_second_attempt_goes_on_with_the_first(chat: Chat) -> None:
    call = {"command": "echo ran >> ran; while [ ! -e ready ]; do sleep .02; done; cat ran", "timeout": "20s"}
    first = asyncio.create_task(chat.call("execute", "1.1.a", **call))
    second = asyncio.create_task(chat.call("execute", "1.1.a", **call))
    await chat.call("write_file", path="ready", content="")
    assert (await first)["output"] == (await second)["output"] == "ran\n"


async def test_the_end_of_a_task_is_not_the_end_of_its_process(chat: Chat) -> None:
    call = {"command": "while [ ! -e more ]; do sleep .02; done; echo survived", "timeout": "20s"}
    shut_down = asyncio.create_task(chat.call("execute", "1.1.b", **call))
    while not await running(chat, "survived"):
        pass
    shut_down.cancel()
    await asyncio.gather(shut_down, return_exceptions=True)
    assert await running(chat, "survived")
    await chat.call("write_file", path="more", content="")
    assert (await chat.call("execute", "1.1.b", **call))["output"] == "survived\n"


async def test_an_interrupted_call_is_killed(chat: Chat) -> None:
    call = {"command": "sleep 1000; echo interrupted", "timeout": "1h"}
    task = asyncio.create_task(chat.call("execute", "1.1.c", **call))
    while not await running(chat, "interrupted"):
        pass
    tool = execute(chat.workspaces)
    assert tool.cancel is not None
    await tool.cancel(tool.input_model.model_validate(call), ToolContext(chat.id, "1.1.c"))
    assert (await task)["exit_code"] == 137


async def test_a_command_whose_sandbox_died_has_an_unknown_outcome(workspaces: Workspaces) -> None:
    chat = Chat(uuid4(), workspaces)
    call = {"command": "echo begun; sleep 1000", "timeout": "1h"}
    task = asyncio.create_task(chat.call("execute", "1.1.a", **call))
    while not await running(chat, "begun"):
        pass
    await workspaces.of(chat.id).shut_down()
    with pytest.raises(OutcomeUnknown, match="Check before you run it again"):
        await task
    with pytest.raises(OutcomeUnknown):
        await chat.call("execute", "1.1.a", **call)
    await workspaces.of(chat.id).shut_down()


async def running(chat: Chat, part: str) -> bool:
    listed = await chat.call("process_list")
    return any(part in process["command"] and process["running"] for process in listed["processes"])
