"""A turn that ends by itself or fails is in its owner's inbox exactly once, whatever dies on the way."""

from typing import Any

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.api.watching.watchers import watching
from tests.durable.caller import Caller
from tests.durable.rows import Rows

WORDS = "one two three four five six seven eight nine ten"


async def inbox(rows: Rows, chat: str) -> list[tuple[int, str]]:
    """Turn and content of what a chat has left, oldest first."""
    found = await rows.ask(
        "SELECT turn, content FROM inbox_notifications WHERE chat_id = :chat ORDER BY turn", chat=chat
    )
    return [(row.turn, row.content) for row in found]


FINISHED = "Finished latest turn"


async def test_a_turn_and_the_queued_one_behind_it_leave_one_each(
    caller: Caller, model: DemoModel, rows: Rows
):
    chat = await caller.create(
        script_block({"text": "held", "hold": {"name": "inbox-first", "after_pieces": 0}})
    )
    reader = caller.read(chat)
    await model.reached("inbox-first")
    await caller.send(chat, script_block({"text": "second"}))
    model.release("inbox-first")
    await reader.rested(2)
    assert await inbox(rows, chat) == [(1, FINISHED), (2, FINISHED)]


async def test_a_failed_turn_leaves_its_error(caller: Caller, rows: Rows):
    refused = {"kind": "status", "status": 400, "message": "no"}
    chat = await caller.create(script_block({"fault": [refused]}))
    reader = caller.read(chat)
    await reader.rested(0)
    (row,) = await rows.ask("SELECT last_error FROM chats WHERE id = :chat", chat=chat)
    assert await inbox(rows, chat) == [(1, row.last_error["message"])]


async def test_an_interrupted_turn_leaves_none(caller: Caller, model: DemoModel, rows: Rows):
    chat = await caller.create(
        script_block({"text": WORDS, "pieces": 10, "hold": {"name": "inbox-cut", "after_pieces": 4}})
    )
    reader = caller.read(chat)
    await model.reached("inbox-cut")
    assert (await caller.interrupt(chat)).status_code == 200
    await reader.rested()
    assert await inbox(rows, chat) == []


async def test_a_shutdown_in_mid_stream_leaves_one_at_the_end(
    perdure: Stack, caller: Caller, model: DemoModel, rows: Rows
):
    chat = await caller.create(
        script_block({"text": WORDS, "pieces": 10, "hold": {"name": "inbox-down", "after_pieces": 4}})
    )
    reader = caller.read(chat)
    await model.reached("inbox-down")
    await perdure.stop("worker")
    assert await inbox(rows, chat) == []
    model.release("inbox-down")
    await perdure.start("worker")
    await reader.rested()
    assert await inbox(rows, chat) == [(1, FINISHED)]


async def test_a_worker_killed_behind_the_commit_tells_once_in_the_rows_and_again_in_the_lists(
    perdure: Stack, caller: Caller, model: DemoModel, rows: Rows
):
    chat = await caller.create(
        script_block({"text": WORDS, "pieces": 10, "hold": {"name": "inbox-late", "after_pieces": 9}})
    )
    await model.reached("inbox-late")
    async with rows.commit_held("steps", chat) as committing:
        model.release("inbox-late")
        await committing()
        await perdure.kill("worker")
    assert await inbox(rows, chat) == [(1, FINISHED)]
    async with watching(caller.v2, "/notifications/inbox/watch") as told, watching(caller.v2) as chats:
        await perdure.start("worker")
        await told.until(lambda w: [one for one in w.told if one["notification"]["targets"] == [chat]])
        await chats.until(lambda w: w.kinds(chat) == ["status_change"])
    assert await inbox(rows, chat) == [(1, FINISHED)]


async def test_a_list_hears_of_a_turn_from_its_beginning_to_its_end(caller: Caller):
    calls: Any = {"name": "current_time", "input": {"timezone": "UTC"}}
    async with watching(caller.v2) as watcher:
        chat = await caller.create(script_block({"text": "Let me look.", "tools": [calls]}, {"text": "late"}))
        await watcher.until(lambda w: w.kinds(chat) == ["created", "status_change"])
        await caller.send(chat, script_block({"text": "second"}))
        await watcher.until(lambda w: len(w.kinds(chat)) == 4)
    mine = [told for told in watcher.told if told["chat"]["id"] == chat]
    assert [told["kind"] for told in mine] == ["created", *["status_change"] * 3]
    assert [told["chat"]["status"] for told in mine][1::2] == ["waiting", "waiting"]


async def test_a_list_is_told_which_calls_wait(caller: Caller):
    async with watching(caller.v2) as watcher:
        chat = await caller.create(
            script_block(
                {"text": "look", "tools": [{"name": "their_tool", "input": {"x": 1}}]}, {"text": "ok"}
            ),
            unsafe_dynamic_tools=[{"name": "their_tool"}],
        )
        await watcher.until(lambda w: "action_required" in w.kinds(chat))
        (call,) = watcher.last("action_required")["tool_calls"]
        assert (call["tool_name"], call["args"]) == ("their_tool", '{"x":1}')
        answer = {"results": [{"tool_call_id": call["tool_call_id"], "output": "done"}]}
        assert (await caller.post(chat, "tool-results", answer)).status_code == 204
        await watcher.until(lambda w: len(w.kinds(chat)) == 5)
    assert watcher.kinds(chat) == [
        "created",
        "status_change",
        "action_required",
        "status_change",
        "status_change",
    ]
