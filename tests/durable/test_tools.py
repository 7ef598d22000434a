"""kill -9 of the worker around and inside tools: what has an effect has it once, and every result counts."""

import asyncio

import pytest
from sqlalchemy import text

from activities.providers.demo import DemoModel
from tests.durable.caller import Caller, text_of
from tests.durable.processes import ToolWorker
from tests.durable.rows import Rows
from tests.durable.side_effects import Effects
from tests.durable.tools import asked, call, results, shown_results, sound

WAITING_FOR_A_LOCK = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tool_results'::regclass"


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
    worker: ToolWorker, caller: Caller, rows: Rows, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("once", word))
    await effects.reached(word, "began")
    async with rows.commit_held("tool_results", chat, "NEW.part IS NOT NULL") as committing:
        effects.open(word)
        await committing()
        await worker.kill()
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


async def test_a_call_that_goes_wrong_leaves_the_others_alone(
    worker: ToolWorker, caller: Caller, model: DemoModel, effects: Effects, word: str
):
    calls = [call("breaks", word), call("garbled", word), call("last_fails", word)]
    chat, reader = await asked(caller, *calls, call("once", word, waits=False))
    await reader.rested(2)
    broken, garbled, refused, done = await results(caller, chat)
    assert (broken["is_error"], broken["result"]) == (True, "The tool breaks failed: RuntimeError: boom")
    assert garbled["result"] == {"half \ufffd": ["\ufffd of a pair", word]}
    assert (refused["is_error"], refused["result"]) == (True, "not today")
    assert (done["result"], effects.lines(word)) == ({"done": word}, ["began", "done"])
    assert len(model.requests_of(chat)) == 2
    await sound(caller, reader, chat)


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
    assert second["created_at"] < min(first["created_at"], third["created_at"]), "each keeps its own time"
    assert [text_of(answer) for answer in reader.answers()] == ["Let me see."]
    await caller.rows.sound(chat)


async def test_an_interrupt_reaches_what_a_dead_worker_has_left_running(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("found", word))
    await effects.reached(word, "began")
    await worker.kill()
    interrupt = asyncio.create_task(caller.insist_on_interrupt(chat))
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


async def test_killed_between_a_file_and_its_result_it_is_attached_once(
    worker: ToolWorker, caller: Caller, rows: Rows, effects: Effects, word: str
):
    arrived = "SELECT 1 FROM blobs JOIN files USING (id) WHERE name = :name"
    async with rows.engine.begin() as lock:
        chat, reader = await asked(caller, call("attach", word))
        await effects.reached(word, "drew")
        await lock.execute(text("LOCK TABLE tool_results IN ACCESS EXCLUSIVE MODE"))
        effects.open(word)
        await rows.until(arrived, name=f"{word}.txt")
        await rows.until(WAITING_FOR_A_LOCK)
        await worker.kill()
    await worker.start()
    await reader.rested(2)
    assert effects.lines(word) == ["drew", "drew"]
    (called, _) = reader.answers()
    (file,) = [part for part in called["content"] if part["type"] == "file"]
    assert (file["name"], file["media_type"]) == (f"{word}.txt", "text/plain")
    listed = (await caller.http.get(f"{caller.url}/{chat}")).json()["files"]
    assert [one["id"] for one in listed] == [file["file_id"]]
    assert (await caller.http.get(f"{caller.url}/files/{file['file_id']}")).content == b"a drawing"
    shown = [event["message_part"] for event in reader.seen if event["type"] == "message_part"]
    roles = [(part["role"], part["part"]["type"]) for part in shown]
    assert roles[-3:-1] == [("assistant", "file"), ("tool", "tool-result")]
    await sound(caller, reader, chat)


async def test_an_oversize_result_is_cut(worker: ToolWorker, caller: Caller, model: DemoModel, word: str):
    chat, reader = await asked(caller, call("long", word))
    await reader.rested(2)
    (result,) = await results(caller, chat)
    assert "bytes left out here" in result["result"]
    await sound(caller, reader, chat)
