"""kill -9 of the worker and the user's stop while a command runs in a real sandbox: counted in its files."""

import asyncio
from pathlib import Path
from uuid import uuid4

from activities.providers.demo import script_block
from cli.stack import Stack
from tests.durable.caller import Body, Caller, Reader
from tests.durable.rows import until

COUNTING = "echo began >> log; while [ ! -e go ]; do sleep .05; done; echo done >> log; cat log"


async def running(caller: Caller, perdure: Stack) -> tuple[str, Reader, Path]:
    """A chat whose command has begun: its id, a reader, and the directory of its files."""
    call = {"name": "execute", "input": {"command": COUNTING, "timeout": "30s"}}
    said = script_block({"text": "Let me see.", "tools": [call]}, {"text": "There."})
    chat = await caller.create(f"{said} {uuid4()}")
    reader = caller.read(chat)
    files = perdure.addresses.workspaces / chat / "files"
    await until(lambda: asyncio.to_thread(begun, files / "log"), 30)
    return chat, reader, files


def begun(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


async def result(caller: Caller, chat: str) -> Body:
    stored = await caller.messages(chat)
    (part,) = [part for message in stored if message["role"] == "tool" for part in message["content"]]
    return part


async def test_a_command_goes_on_while_no_worker_lives_and_is_found_again(perdure: Stack, caller: Caller):
    chat, reader, files = await running(caller, perdure)
    await perdure.kill("worker")
    (files / "go").touch()
    await perdure.start("worker")
    await reader.rested(2)
    told = (await result(caller, chat))["result"]
    assert (told["success"], told["output"]) == (True, "began\ndone\n")
    assert (files / "log").read_text() == "began\ndone\n"


async def test_a_command_outlives_an_orderly_restart(perdure: Stack, caller: Caller):
    chat, reader, files = await running(caller, perdure)
    await perdure.restart("worker")
    (files / "go").touch()
    await reader.rested(2)
    assert (await result(caller, chat))["result"]["output"] == "began\ndone\n"


async def test_a_stopped_command_is_killed(perdure: Stack, caller: Caller):
    chat, reader, files = await running(caller, perdure)
    assert (await caller.interrupt(chat)).status_code == 200
    await reader.until(lambda r: r.status == "waiting")
    (files / "go").touch()
    await caller.send(
        chat, script_block({"tools": [{"name": "process_list", "input": {}}]}, {"text": "Listed."})
    )
    await reader.until(lambda r: "Listed." in str(r.answers()))
    stored = await caller.messages(chat)
    listed = [
        part["result"]
        for message in stored
        for part in message["content"]
        if part["type"] == "tool-result" and part["tool_name"] == "process_list"
    ]
    (process,) = listed[0]["processes"]
    assert (process["running"], process["exit_code"]) == (False, 137)
    assert (files / "log").read_text() == "began\n"


async def test_a_file_of_the_sandbox_is_given_to_the_user(perdure: Stack, caller: Caller):
    make = {"name": "execute", "input": {"command": "mkdir out && printf 'a,b\\n1,2\\n' > out/table.csv"}}
    give = {"name": "attach_file", "input": {"path": "out/table.csv"}}
    said = script_block({"tools": [make]}, {"tools": [give]}, {"text": "There."})
    chat = await caller.create(f"{said} {uuid4()}")
    reader = caller.read(chat)
    await reader.rested(3)
    stored = await caller.messages(chat)
    made, gave = [part for message in stored for part in message["content"] if part["type"] == "tool-call"]
    assert made["parsed_commands"] == [["mkdir", "out"], ["printf", "a,b\\n1,2\\n"]]
    (file,) = [part for part in stored[3]["content"] if part["type"] == "file"]
    (told,) = [part["result"] for part in stored[4]["content"]]
    assert (stored[3]["content"][0], told["file_id"]) == (gave, file["file_id"])
    assert (file["name"], file["media_type"], told["size"]) == ("table.csv", "text/csv", 8)
    assert (await caller.http.get(f"{caller.url}/files/{file['file_id']}")).content == b"a,b\n1,2\n"
    assert [reader.messages[key] for key in sorted(reader.messages)] == stored
