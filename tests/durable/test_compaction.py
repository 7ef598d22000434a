"""Summaries of a conversation, as its reader sees them, and with processes killed in the middle of one."""

from collections.abc import Callable
from typing import Any

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Body, Caller, Event, Reader, text_of
from tests.durable.rows import Rows, until
from tests.durable.saying import says

FULL = {"input_tokens": 150_000, "output_tokens": 5}
CLOCK = {"name": "current_time", "input": {"timezone": "UTC"}}
BOUNDARIES = "SELECT 1 FROM messages WHERE chat_id = :chat AND compressed AND visibility = 'model'"


def stalled(name: str) -> dict[str, Any]:
    """A summary that comes only once the hold `name` is released."""
    return {"kind": "stall", "name": name, "after_pieces": 1}


def is_summary(event: Event, kind: str) -> bool:
    if event["type"] != "message_part":
        return False
    part = event["message_part"]["part"]
    return (part["type"], part.get("tool_name")) == (kind, "chat_summarized")


def summarizing(reader: Reader) -> list[Event]:
    """The parts by which the reader knows that a summary is being written."""
    return [event for event in reader.seen if is_summary(event, "tool-call")]


def summaries(messages: list[Body]) -> list[Body]:
    """The results of all compactions in a history."""
    return [
        part
        for message in messages
        for part in message["content"]
        if part["type"] == "tool-result" and part["tool_name"] == "chat_summarized"
    ]


async def sent(caller: Caller, chat: str, text: str) -> list[bool]:
    """Send a message; empty while the worker is not back yet."""
    return [True] if (await caller.try_to_send(chat, text, key="second")).status_code == 200 else []


async def answered(caller: Caller, word: str) -> tuple[str, Reader]:
    """A chat that has answered its first message, and its reader."""
    chat = await caller.create(says(word))
    reader = caller.read(chat)
    await reader.rested()
    return chat, reader


async def compact(caller: Caller, chat: str) -> None:
    answer = await caller.ask(chat, "compact")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "running"


async def test_behind_a_full_step_the_turn_goes_on_with_the_summary(caller: Caller, model: DemoModel):
    chat = await caller.create(says("done", usage=FULL))
    reader = caller.read(chat)
    await reader.rested(3)
    stored = await caller.messages(chat)
    assert [m["role"] for m in stored] == ["user", "assistant", "assistant", "tool", "assistant"]
    (summary,) = summaries(stored)
    assert summary["result"]["source"] == "automatic"
    assert [reader.messages[key] for key in sorted(reader.messages)] == stored

    def first(matches: Callable[[Event], bool]) -> int:
        return next(index for index, event in enumerate(reader.seen) if matches(event))

    def kept(event: Event) -> bool:
        return event["type"] == "message" and event["message"]["id"] == stored[3]["id"]

    def rests(event: Event) -> bool:
        return event["type"] == "status" and event["status"]["status"] == "waiting"

    order = [
        first(lambda e: is_summary(e, "tool-call")),
        first(lambda e: is_summary(e, "tool-result")),
        first(kept),
        first(rests),
    ]
    assert order == sorted(order), "call, result, rows, status"
    assert len(model.requests_of(chat)) == 3
    await caller.rows.sound(chat)


async def test_between_two_steps_history_is_replaced_by_the_summary(caller: Caller, model: DemoModel):
    chat = await caller.create(script_block({"text": "looking", "tools": [CLOCK], "usage": FULL}))
    reader = caller.read(chat)
    await reader.rested(3)
    stored = await caller.messages(chat)
    assert [m["role"] for m in stored] == ["user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert [m["role"] for m in model.requests_of(chat)[-1].body["messages"]] == ["user"]
    assert len(model.requests_of(chat)) == 3, "a step, the summary, a step: the turn is not entered again"
    await caller.rows.sound(chat)


async def test_asked_for_by_a_person(caller: Caller, model: DemoModel):
    chat, reader = await answered(caller, "first")
    await compact(caller, chat)
    await reader.until(lambda r: summaries(list(r.messages.values())) and r.status == "waiting")
    assert len(model.requests_of(chat)) == 2, "no answer follows"
    refused = await caller.ask(chat, "compact")
    assert (refused.status_code, refused.json()["message"]) == (409, "There is nothing to compact.")
    await caller.send(chat, says("second"))
    await reader.rested(3)
    assert text_of(reader.answers()[-1]) == "second"
    assert len(model.requests_of(chat)[-1].body["messages"]) == 1
    await caller.rows.sound(chat)


async def test_cleared_by_a_person(caller: Caller, model: DemoModel):
    chat, reader = await answered(caller, "forget me")
    cleared = await caller.ask(chat, "clear")
    assert (cleared.status_code, cleared.json()["status"]) == (200, "waiting")
    again = await caller.ask(chat, "clear")
    assert (again.status_code, again.json()["message"]) == (409, "There is nothing to clear.")
    assert (await caller.ask(chat, "compact")).status_code == 409
    await caller.send(chat, says("anew"))
    await reader.rested(3)
    assert "forget me" not in str(model.requests_of(chat)[-1].body)
    stored = await caller.messages(chat)
    assert [m["role"] for m in stored] == ["user", "assistant", "assistant", "tool", "user", "assistant"]
    assert stored[2]["content"][0]["tool_name"] == "chat_cleared"
    await caller.rows.sound(chat)


async def test_in_mid_turn_and_archived_both_are_refused(caller: Caller, model: DemoModel):
    chat = await caller.create(says("held", hold={"name": "busy", "after_pieces": 0}))
    await model.reached("busy")
    for command in ("compact", "clear"):
        assert (await caller.ask(chat, command)).status_code == 409
    model.release("busy")
    reader = caller.read(chat)
    await reader.rested()
    await caller.http.patch(f"{caller.url}/{chat}", json={"archived": True})
    for command in ("compact", "clear"):
        assert (await caller.ask(chat, command)).status_code == 400


async def test_an_overflow_is_compacted_and_the_turn_goes_on(caller: Caller, model: DemoModel):
    chat, reader = await answered(caller, "first")
    second = says("second")
    too_long = {"kind": "status", "status": 400, "message": "prompt is too long: 200001 > 200000"}
    model.order_fault(too_long)
    await caller.send(chat, second)
    await reader.rested(3)
    assert reader.status == "waiting"
    assert text_of(reader.answers()[-1]) == "second"
    texts = [text_of(m) for m in await caller.messages(chat) if m["role"] == "user"]
    assert texts == [says("first"), second], "what is said again to the model, people see once"
    await caller.rows.sound(chat)


async def test_a_summary_that_fails_does_not_fail_the_turn(caller: Caller, model: DemoModel):
    held = {"name": "full", "after_pieces": 0}
    said = says("done", usage=FULL, hold=held)
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("full")
    model.order_fault({"kind": "status", "status": 400, "message": "no"})
    model.release("full")
    await reader.rested()
    assert reader.status == "waiting"
    assert [e for e in reader.seen if is_summary(e, "tool-result")][0]["message_part"]["part"]["is_error"]
    await caller.agree(reader, chat, [said], ["done"])


async def test_interrupted_it_leaves_no_trace(caller: Caller, model: DemoModel, rows: Rows):
    chat, reader = await answered(caller, "first")
    await rows.change("UPDATE chats SET last_turn_summary = 'Said one word' WHERE id = :chat", chat=chat)
    model.order_fault(stalled("left"))
    await compact(caller, chat)
    await reader.until(summarizing)
    assert (await caller.interrupt(chat)).status_code == 200
    labelled = "SELECT 1 FROM chats WHERE id = :chat AND status = 'waiting' AND last_turn_summary <> ''"
    await rows.until(labelled, chat=chat)
    await caller.send(chat, says("second"))
    await reader.rested(2)
    assert await rows.ask(BOUNDARIES, chat=chat) == []
    await caller.agree(reader, chat, [says("first"), says("second")], ["first", "second"])


async def test_a_message_sent_meanwhile_is_answered_behind_the_summary(caller: Caller, model: DemoModel):
    chat, reader = await answered(caller, "first")
    model.order_fault(stalled("meanwhile"))
    await compact(caller, chat)
    await reader.until(summarizing)
    await caller.send(chat, says("second"))
    model.release("meanwhile")
    await reader.rested(3)
    roles = [message["role"] for message in await caller.messages(chat)]
    assert roles == ["user", "assistant", "assistant", "tool", "user", "assistant"]
    await caller.rows.sound(chat)


async def test_worker_killed_during_the_call(perdure: Stack, caller: Caller, model: DemoModel, rows: Rows):
    chat, reader = await answered(caller, "first")
    model.order_fault(stalled("during"))
    await compact(caller, chat)
    await reader.until(summarizing)
    await perdure.kill("worker")
    model.release("during")
    await perdure.start("worker")
    await reader.until(lambda r: summaries(list(r.messages.values())) and r.status == "waiting")
    assert len(await rows.ask(BOUNDARIES, chat=chat)) == 1
    assert len(summaries(await caller.messages(chat))) == 1
    assert len({event["message_part"]["generation_attempt"] for event in summarizing(reader)}) == 2
    await caller.rows.sound(chat)


async def test_worker_killed_after_the_commit(perdure: Stack, caller: Caller, model: DemoModel, rows: Rows):
    chat, reader = await answered(caller, "first")
    model.order_fault(stalled("after"))
    await compact(caller, chat)
    await reader.until(summarizing)
    async with rows.commit_held("messages", chat, "NEW.compressed") as committing:
        model.release("after")
        await committing()
        await perdure.kill("worker")
    await perdure.start("worker")
    await until(lambda: sent(caller, chat, says("second")))
    await reader.rested(3)
    assert len(await rows.ask(BOUNDARIES, chat=chat)) == 1
    assert len(model.requests_of(chat)) == 3, "the summary is not asked for again"
    await caller.rows.sound(chat)


async def test_worker_killed_between_the_full_step_and_the_summary(
    perdure: Stack, caller: Caller, model: DemoModel, rows: Rows
):
    held = {"name": "gap", "after_pieces": 0}
    chat = await caller.create(says("done", usage=FULL, hold=held))
    reader = caller.read(chat)
    await model.reached("gap")
    model.order_fault(stalled("never"))
    model.release("gap")
    await reader.until(summarizing)
    await model.reached("never")
    await perdure.kill("worker")
    await perdure.start("worker")
    await reader.rested(3)
    assert len(await rows.ask(BOUNDARIES, chat=chat)) == 1
    await caller.rows.sound(chat)
