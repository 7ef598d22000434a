"""kill -9 of the worker around and inside tools: what has an effect has it once, and every result counts."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Body, Caller, Reader
from tests.durable.processes import ToolWorker
from tests.durable.rows import Rows
from tests.durable.side_effects import Effects

WAITING_FOR_A_LOCK = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tool_results'::regclass"
RECORDED = "SELECT 1 FROM tool_results WHERE chat_id = :chat AND part IS NOT NULL"


@pytest.fixture(scope="module")
async def worker(perdure: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ToolWorker]:
    """The only worker, with the tools of `side_effects`."""
    await perdure.stop("worker")
    worker = ToolWorker(perdure, tmp_path_factory.mktemp("effects"))
    await worker.start()
    yield worker
    await worker.kill()
    await perdure.start("worker")


@pytest.fixture
def effects(worker: ToolWorker) -> Effects:
    return Effects(worker.effects)


@pytest.fixture
def word() -> str:
    return f"w{uuid4().hex[:8]}"


def call(name: str, word: str, **more: Any) -> Body:
    return {"name": name, "input": {"word": word, **more}}


async def asked(caller: Caller, *calls: Body) -> tuple[str, Reader]:
    """A chat whose first step makes these calls, and whose second says goodbye."""
    said = script_block({"text": "Let me see.", "tools": list(calls)}, {"text": "There."})
    chat = await caller.create(f"{said} {uuid4()}")
    return chat, caller.read(chat)


async def results(caller: Caller, chat: str) -> list[Body]:
    stored = await caller.messages(chat)
    return [part for message in stored if message["role"] == "tool" for part in message["content"]]


async def sound(caller: Caller, reader: Reader, chat: str) -> None:
    """The turn ended well, and the reader has exactly the rows."""
    stored = await caller.messages(chat)
    said = [part["text"] for part in stored[0]["content"]]
    await caller.agree(reader, chat, said, ["Let me see.", "There."])


async def test_killed_before_the_tool_ran(
    worker: ToolWorker, caller: Caller, rows: Rows, effects: Effects, word: str
):
    async with rows.engine.begin() as lock:
        await lock.execute(text("LOCK TABLE tool_results IN ACCESS EXCLUSIVE MODE"))
        chat, reader = await asked(caller, call("once", word, waits=False))
        await rows.until(WAITING_FOR_A_LOCK)
        await worker.kill()
    await worker.start()
    await reader.rested(2)
    assert effects.lines(word) == ["began", "done"]
    await sound(caller, reader, chat)


async def test_killed_inside_a_tool_that_may_not_run_twice(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("once", word))
    await effects.reached(word, "began")
    await worker.kill()
    effects.open(word)
    await worker.start()
    await reader.rested(2)
    assert effects.lines(word) == ["began"]
    (result,) = await results(caller, chat)
    assert result["is_error"]
    assert result["result"].startswith("It is not known whether once did its work")
    await sound(caller, reader, chat)


async def test_killed_after_the_tool_but_before_anybody_knew(
    perdure: Stack, worker: ToolWorker, caller: Caller, rows: Rows, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("once", word))
    await effects.reached(word, "began")
    perdure.freeze("temporal")
    try:
        effects.open(word)
        await rows.until(RECORDED, chat=chat)
        await worker.kill()
    finally:
        perdure.thaw("temporal")
    await worker.start()
    await reader.rested(2)
    assert effects.lines(word) == ["began", "done"]
    (result,) = await results(caller, chat)
    assert result["result"] == {"done": word}
    await sound(caller, reader, chat)


async def test_killed_twice_inside_a_tool_that_can_be_found_again(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("found", word))
    await effects.reached(word, "began")
    await worker.kill()
    await worker.start()
    await effects.reached(word, "began", "found")
    await worker.kill()
    await worker.start()
    await effects.reached(word, "began", "found", "found")
    effects.open(word)
    await reader.rested(2)
    (result,) = await results(caller, chat)
    assert result["result"] == {"found": word}
    assert effects.lines(word) == ["began", "found", "found"]
    await sound(caller, reader, chat)


async def test_a_tool_that_is_safe_to_repeat_is_run_again(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("again", word))
    await effects.reached(word, "began")
    await worker.kill()
    effects.open(word)
    await worker.start()
    await reader.rested(2)
    assert effects.lines(word) == ["began", "began", "done"]
    (result,) = await results(caller, chat)
    assert result["result"] == {"done": word}
    await sound(caller, reader, chat)


async def test_a_result_is_seen_the_moment_its_tool_ends_and_the_rows_keep_the_order_of_the_calls(
    worker: ToolWorker, caller: Caller, rows: Rows, effects: Effects, word: str
):
    chat, reader = await asked(
        caller, call("once", word), call("once", f"{word}b", waits=False), call("nobody", word)
    )
    await reader.until(lambda r: len(shown_results(r)) == 2)
    late = caller.read(chat)
    await late.until(lambda r: len(shown_results(r)) == 2)
    assert [message["role"] for message in await caller.messages(chat)] == ["user", "assistant"]
    effects.open(word)
    for one in (reader, late):
        await one.rested(2)
        await sound(caller, one, chat)
    assert len(shown_results(reader)) == 3
    first, second, third = await results(caller, chat)
    assert (first["result"], second["result"]) == ({"done": word}, {"done": f"{word}b"})
    assert third["is_error"]
    assert third["result"].startswith("There is no tool named 'nobody'")
    assert first["created_at"] > second["created_at"]


def shown_results(reader: Reader) -> list[Body]:
    parts = [event["message_part"] for event in reader.seen if event["type"] == "message_part"]
    return [part for part in parts if part["role"] == "tool"]


async def test_an_interrupt_ends_what_runs_and_keeps_what_is_done(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    chat, reader = await asked(
        caller, call("found", word), call("once", f"{word}b", waits=False), call("again", f"{word}c")
    )
    await effects.reached(word, "began")
    await reader.until(lambda r: len(shown_results(r)) == 1)
    assert (await caller.interrupt(chat)).status_code == 200
    await reader.until(lambda r: r.status == "waiting")
    assert effects.lines(word) == ["began", "cancelled"]
    first, second, third = await results(caller, chat)
    assert (first["is_error"], third["is_error"]) == (True, True)
    assert second["result"] == {"done": f"{word}b"}
    await caller.rows.sound(chat)


async def test_an_interrupt_reaches_what_a_dead_worker_has_left_running(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("found", word))
    await effects.reached(word, "began")
    await worker.kill()
    interrupt = asyncio.create_task(caller.interrupt(chat))
    await worker.start()
    assert (await interrupt).status_code == 200
    await reader.until(lambda r: r.status == "waiting")
    assert effects.lines(word)[-1] == "cancelled"
    assert "done" not in effects.lines(word)
    await caller.rows.sound(chat)


@pytest.mark.parametrize(
    ("name", "lines"), [("again", ["began", "began", "done"]), ("found", ["began", "found"])]
)
async def test_sigterm_in_mid_tool_is_no_interrupt(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str, name: str, lines: list[str]
):
    chat, reader = await asked(caller, call(name, word))
    await effects.reached(word, "began")
    await worker.stop()
    effects.open(word)
    await worker.start()
    await reader.rested(2)
    assert effects.lines(word) == lines
    (result,) = await results(caller, chat)
    assert "is_error" not in result
    await sound(caller, reader, chat)


async def test_an_oversize_result_is_cut(worker: ToolWorker, caller: Caller, model: DemoModel, word: str):
    chat, reader = await asked(caller, call("long", word))
    await reader.rested(2)
    (result,) = await results(caller, chat)
    assert "bytes left out here" in result["result"]
    await sound(caller, reader, chat)
