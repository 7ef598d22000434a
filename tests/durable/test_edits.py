"""An edited message: what came after it is gone, whatever went on, and the chat answers the new words."""

import asyncio
from uuid import uuid4

import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Caller, text_of
from tests.durable.processes import ToolWorker, another_api
from tests.durable.rows import Rows
from tests.durable.saying import WORDS, held, says
from tests.durable.side_effects import Effects
from tests.durable.test_sandbox import running
from tests.durable.tools import THEIRS, asked, awaited, call, results


async def test_an_edit_at_rest_replaces_the_message_and_all_that_came_after_it(caller: Caller):
    first, second, instead = says("first"), says("second"), says("instead")
    chat = await caller.create(first)
    reader = caller.read(chat)
    await reader.rested()
    await caller.send(chat, second)
    await reader.rested(2)
    before = await caller.messages(chat)
    answer = await caller.edit(chat, before[2]["id"], instead)
    assert answer.status_code == 200, answer.text
    edited = answer.json()
    assert edited["deleted_message_ids"] == [message["id"] for message in before[2:]]
    assert edited["messages"] == [edited["message"]]
    assert edited["message"]["id"] > before[-1]["id"]
    assert edited["message"]["model_config_id"] == before[2]["model_config_id"]
    await reader.until(lambda r: "instead" in str(r.answers()))
    await reader.rested(2)
    await caller.agree(reader, chat, [first, instead], ["first", "instead"])
    assert [event["type"] for event in reader.seen].count("history_reset") == 1


async def test_an_edit_of_the_running_turn_throws_its_answer_and_the_queue_away(
    caller: Caller, model: DemoModel
):
    instead = says("instead")
    chat = await caller.create(held("cut"))
    reader = caller.read(chat)
    await model.reached("cut")
    await reader.until(lambda r: "three" in r.preview)
    for _ in range(2):
        await caller.send(chat, says("queued"))
    answer = await caller.edit(chat, await caller.first_message(chat), instead)
    assert answer.status_code == 200, answer.text
    await reader.rested()
    await caller.agree(reader, chat, [instead], ["instead"])
    deleted = await caller.rows.ask("SELECT role FROM messages WHERE chat_id = :chat AND deleted", chat=chat)
    assert [row.role for row in deleted] == ["user"], "no part of the answer was kept"
    queues = [event for event in reader.seen if event["type"] == "queue_update"]
    assert "queued_messages" not in queues[-1]


async def test_an_edit_after_an_interrupt_discards_the_partial_answer(
    perdure: Stack, caller: Caller, model: DemoModel
):
    instead = says("instead")
    chat = await caller.create(held("stopping"))
    reader = caller.read(chat)
    await model.reached("stopping")
    message = await caller.first_message(chat)
    stopped, edited = await asyncio.gather(caller.interrupt(chat), caller.edit(chat, message, instead))
    assert edited.status_code == 200, edited.text
    assert stopped.status_code in (200, 409)
    await reader.until(lambda r: "instead" in str(r.answers()))
    await reader.rested()
    if stopped.status_code == 409:  # the edit came first
        assert stopped.json()["message"]
    await caller.rows.sound(chat)
    assert [text_of(m) for m in await caller.messages(chat) if m["role"] == "user"] == [instead]


async def test_a_repeated_edit_edits_once(caller: Caller):
    first, instead = says("first"), says("instead")
    chat = await caller.create(first)
    reader = caller.read(chat)
    await reader.rested()
    message = await caller.first_message(chat)
    edits = await asyncio.gather(*(caller.edit(chat, message, instead, key="once") for _ in range(5)))
    assert [edit.status_code for edit in edits] == [200] * 5
    assert all(edit.json() == edits[0].json() for edit in edits)
    await reader.until(lambda r: "instead" in str(r.answers()))
    await reader.rested()
    assert (await caller.edit(chat, edits[0].json()["message"]["id"], says("again"))).status_code == 200
    late = await caller.edit(chat, message, instead, key="once")
    assert (late.status_code, late.json()) == (200, edits[0].json())
    assert (await caller.edit(chat, message, instead)).status_code == 404
    assert (await caller.edit(chat, message, says("other"), key="once")).status_code == 422
    await reader.until(lambda r: "again" in str(r.answers()))
    await caller.rows.until("SELECT 1 FROM chats WHERE id = :chat AND status = 'waiting'", chat=chat)


async def test_an_api_that_dies_during_an_edit_leaves_one_edit_to_be_found(
    perdure: Stack, caller: Caller, rows: Rows
):
    chat = await caller.create(says("first"))
    reader = caller.read(chat)
    await reader.rested()
    message, instead = await caller.first_message(chat), says("instead")
    perdure.freeze("worker")
    try:
        async with another_api(perdure) as url:
            dying = Caller(url, perdure.token or "", rows)
            asking = asyncio.create_task(dying.edit(chat, message, instead, key="dying"))
            await rows.until("SELECT 1 FROM drafts WHERE chat_id = :chat", chat=chat)
        await asyncio.gather(asking, return_exceptions=True)
    finally:
        perdure.thaw("worker")
    while (answer := await caller.edit(chat, message, instead, key="dying")).status_code == 503:
        continue
    assert answer.status_code == 200, answer.text
    await reader.until(lambda r: "instead" in str(r.answers()))
    await reader.rested()
    await caller.agree(reader, chat, [instead], ["instead"])


async def test_a_worker_killed_in_an_edited_turn_answers_it_all_the_same(
    perdure: Stack, caller: Caller, model: DemoModel
):
    chat = await caller.create(says("first"))
    reader = caller.read(chat)
    await reader.rested()
    assert (await caller.edit(chat, await caller.first_message(chat), held("edited"))).status_code == 200
    await model.reached("edited")
    await perdure.kill("worker")
    model.release("edited")
    await perdure.start("worker")
    await reader.until(lambda r: WORDS in str(r.answers()))
    await reader.rested()
    await caller.agree(reader, chat, [held("edited")], [WORDS])


async def test_an_edit_kills_the_command_that_runs(perdure: Stack, caller: Caller):
    chat, reader, files = await running(caller, perdure)
    listing = script_block({"tools": [{"name": "process_list", "input": {}}]}, {"text": "Listed."})
    edited = await caller.edit(chat, await caller.first_message(chat), f"{listing} {uuid4()}")
    assert edited.status_code == 200, edited.text
    (files / "go").touch()
    await reader.until(lambda r: "Listed." in str(r.answers()))
    await reader.until(lambda r: r.status == "waiting")
    (listed,) = await results(caller, chat)
    (process,) = listed["result"]["processes"]
    assert (process["running"], process["exit_code"]) == (False, 137)
    assert (files / "log").read_text() == "began\n"
    await caller.rows.sound(chat)


async def test_an_edit_ends_what_a_dead_worker_has_left_running(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("found", word))
    await effects.reached(word, "began")
    message, instead = await caller.first_message(chat), says("instead")
    await worker.kill()
    editing = asyncio.create_task(insist(caller, chat, message, instead))
    await worker.start()
    await editing
    await reader.until(lambda r: "instead" in str(r.answers()))
    await reader.until(lambda r: r.status == "waiting")
    assert effects.lines(word)[-1] == "cancelled"
    assert "done" not in effects.lines(word)
    await caller.agree(reader, chat, [instead], ["instead"])


async def insist(caller: Caller, chat: str, message: int, text: str) -> None:
    """Edit, and again under the same key while there is no worker to take it."""
    key = str(uuid4())
    while (answer := await caller.edit(chat, message, text, key=key)).status_code == 503:
        continue
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("queued", [0, 1])
async def test_an_edit_takes_the_place_of_calls_that_wait_for_a_client(
    worker: ToolWorker, caller: Caller, word: str, queued: int
):
    chat, reader = await asked(caller, call("theirs", word), **THEIRS)
    await reader.until(lambda r: r.status == "requires_action" and awaited(r))
    call_id = awaited(reader)[0]["tool_call_id"]
    for _ in range(queued):
        await caller.send(chat, says("queued"))
    instead = says("instead")
    assert (await caller.edit(chat, await caller.first_message(chat), instead)).status_code == 200
    late = await caller.post(chat, "tool-results", {"results": [{"tool_call_id": call_id, "output": 1}]})
    assert late.status_code == 409
    await reader.until(lambda r: "instead" in str(r.answers()))
    await reader.until(lambda r: r.status == "waiting")
    await caller.agree(reader, chat, [instead], ["instead"])
