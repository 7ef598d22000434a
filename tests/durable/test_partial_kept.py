"""A worker dies in mid-answer, and the user stops before another has said a word: what was seen is kept."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Caller, Reader, text_of
from tests.durable.rows import Rows
from tests.durable.saying import WORDS, says

CLOCK = {"name": "current_time", "input": {"timezone": "America/Argentina/Buenos_Aires"}}


def stalling(name: str, *after_pieces: int, of: str = "text", **step: Any) -> str:
    """A message whose answer stands still after so many pieces, in one attempt after the other. The last one
    says nothing: the stop may come before it or, on a slow machine, during it."""
    places = [{"after_pieces": pieces, "of": of} for pieces in after_pieces]
    mute = {"after_pieces": 0, "of": "thinking" if "thinking" in step else "text"}
    stalls = [
        {"kind": "stall", "name": f"{name}-{attempt}", **place}
        for attempt, place in enumerate([*places, mute], 1)
    ]
    return script_block({"text": WORDS, "pieces": 10, **step, "fault": stalls}) + f" {name}"


def is_calling(reader: Reader) -> bool:
    parts = [event["message_part"]["part"] for event in reader.seen if event["type"] == "message_part"]
    return any(part["type"] == "tool-call" for part in parts)


async def shown(caller: Caller, model: DemoModel, said: str, name: str) -> tuple[str, Reader]:
    """A chat that has shown the beginning of its answer."""
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached(f"{name}-1")
    return chat, reader


async def stopped(caller: Caller, chat: str) -> None:
    answer = await caller.insist_on_interrupt(chat)
    assert answer.status_code == 200, answer.text


async def promoted(caller: Caller, chat: str, queued: int) -> None:
    """Promote, and again under the same key while there is no worker to take it."""
    url, key = f"{caller.url}/{chat}/queue/{queued}/promote", {"Idempotency-Key": str(uuid4())}
    while (answer := await caller.http.post(url, headers=key)).status_code == 503:
        pass
    assert answer.status_code == 202, answer.text


async def goes_on(caller: Caller, reader: Reader, chat: str) -> None:
    answers = len(reader.answers())
    await caller.send(chat, says("and on"))
    await reader.rested(answers + 1)
    assert text_of(reader.answers()[-1]) == "and on"
    await caller.rows.sound(chat)


@pytest.mark.parametrize("queued", [False, True])
async def test_stopped_as_soon_as_there_is_somebody_to_hear_it(
    perdure: Stack, caller: Caller, model: DemoModel, rows: Rows, queued: bool
):
    name = f"orphan-{queued}"
    said = stalling(name, 4)
    chat, reader = await shown(caller, model, said, name)
    await reader.until(lambda r: "four" in r.preview)
    seen = reader.preview
    if queued:
        await caller.send(chat, says("second"))
    await perdure.kill("worker")
    stopping = asyncio.create_task(stopped(caller, chat))
    await perdure.start("worker")
    await stopping
    await reader.rested(1 + queued)
    more = ["second"] if queued else []
    await caller.agree(reader, chat, [said, *map(says, more)], [seen, *more])
    (step, *_) = await rows.ask('SELECT "end" FROM steps WHERE chat_id = :chat ORDER BY turn', chat=chat)
    assert step.end == "interrupted"
    await goes_on(caller, reader, chat)


async def test_stopped_before_the_other_attempt_has_said_anything(
    perdure: Stack, caller: Caller, model: DemoModel
):
    said = stalling("silent", 4)
    chat, reader = await shown(caller, model, said, "silent")
    await reader.until(lambda r: "four" in r.preview)
    seen = reader.preview
    await perdure.kill("worker")
    await perdure.start("worker")
    await model.reached("silent-2")
    await stopped(caller, chat)
    await reader.rested()
    await caller.agree(reader, chat, [said], [seen])
    await goes_on(caller, reader, chat)


async def test_a_promotion_without_anybody_to_hear_it_at_once_takes_the_message_first(
    perdure: Stack, caller: Caller, model: DemoModel
):
    said = stalling("promoted", 4)
    chat, reader = await shown(caller, model, said, "promoted")
    await reader.until(lambda r: "four" in r.preview)
    seen = reader.preview
    queued = [(await caller.send(chat, says(word)))["queued_message"]["id"] for word in ("first", "second")]
    await perdure.kill("worker")
    promoting = asyncio.create_task(promoted(caller, chat, queued[1]))
    await perdure.start("worker")
    await promoting
    await reader.rested(3)
    answers = [seen, "second", "first"]
    await caller.agree(reader, chat, [said, says("second"), says("first")], answers)


async def test_once_the_other_attempt_speaks_its_words_count(
    perdure: Stack, caller: Caller, model: DemoModel
):
    said = stalling("spoke", 6, 2)
    chat, reader = await shown(caller, model, said, "spoke")
    await reader.until(lambda r: "six" in r.preview)
    await perdure.kill("worker")
    await perdure.start("worker")
    await model.reached("spoke-2")
    await reader.until(lambda r: "two" in r.preview and "six" not in r.preview)
    seen = reader.preview
    await stopped(caller, chat)
    await reader.rested()
    await caller.agree(reader, chat, [said], [seen])


async def test_thoughts_and_a_half_written_call_are_kept_as_in_any_interrupted_answer(
    perdure: Stack, caller: Caller, model: DemoModel
):
    said = stalling("half", 1, of="tool_input", thinking="a clock is needed", tools=[CLOCK])
    chat, reader = await shown(caller, model, said, "half")
    await reader.until(lambda r: "ten" in r.preview and is_calling(r))
    await perdure.kill("worker")
    stopping = asyncio.create_task(stopped(caller, chat))
    await perdure.start("worker")
    await stopping
    await reader.rested()
    _, answer, result = await caller.messages(chat)
    assert [part["type"] for part in answer["content"]] == ["reasoning", "text", "tool-call"]
    assert answer["content"][0]["text"] == "a clock is needed"
    assert result["content"][0]["tool_call_id"] == answer["content"][2]["tool_call_id"]
    assert result["content"][0]["is_error"] is True
    await caller.agree(reader, chat, [said], [WORDS])
    await goes_on(caller, reader, chat)


async def test_without_redis_there_is_nothing_to_keep_and_nothing_fails(
    perdure: Stack, caller: Caller, model: DemoModel
):
    said = stalling("gone", 4)
    chat, reader = await shown(caller, model, said, "gone")
    await perdure.kill("worker")
    await perdure.kill("valkey")
    try:
        stopping = asyncio.create_task(stopped(caller, chat))
        await perdure.start("worker")
        await stopping
        await caller.rows.until("SELECT 1 FROM chats WHERE id = :chat AND status = 'waiting'", chat=chat)
    finally:
        await perdure.start("valkey")
    await reader.until(lambda r: r.status == "waiting")
    await caller.agree(reader, chat, [said], [])
    await goes_on(caller, reader, chat)


async def test_a_thought_that_was_cut_goes_back_to_the_model_as_its_vendor_takes_it(
    perdure: Stack, caller: Caller, model: DemoModel
):
    said = stalling("thought", 2, of="thinking", thinking="so much to think of first")
    chat, reader = await shown(caller, model, said, "thought")
    await reader.until(lambda r: r.seqs)
    await perdure.kill("worker")
    stopping = asyncio.create_task(stopped(caller, chat))
    await perdure.start("worker")
    await stopping
    await reader.rested()
    (kept,) = reader.answers()
    assert [part["type"] for part in kept["content"]] == ["reasoning"]
    assert "so much to think of first".startswith(kept["content"][0]["text"])
    await goes_on(caller, reader, chat)
