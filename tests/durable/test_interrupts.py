"""Stopping a turn at every point of it: what was said is kept, and the chat goes on."""

import asyncio

from activities.providers.demo import DemoModel, script_block
from tests.durable.caller import Body, Caller, text_of
from tests.durable.rows import Rows
from tests.durable.saying import WORDS, held, says


async def stop(caller: Caller, chat: str) -> None:
    answer = await caller.interrupt(chat)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "interrupting"


async def goes_on(caller: Caller, chat: str) -> None:
    """The next message is answered: the history is one that the model accepts."""
    answers = len([m for m in await caller.messages(chat) if m["role"] == "assistant"])
    reader = caller.read(chat)
    await caller.send(chat, says("and on"))
    await reader.rested(answers + 1)
    assert text_of(reader.answers()[-1]) == "and on", await caller.messages(chat)
    await caller.rows.sound(chat)


def parts_of(message: Body, kind: str) -> list[Body]:
    return [part for part in message["content"] if part["type"] == kind]


async def test_what_the_reader_saw_is_kept(caller: Caller, model: DemoModel, rows: Rows):
    said = held("seen", 4)
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("seen")
    await reader.until(lambda r: "four" in r.preview)
    seen = reader.preview
    await stop(caller, chat)
    await reader.rested()
    kept = text_of(reader.answers()[0])
    assert WORDS.startswith(kept)
    assert kept.startswith(seen)
    await caller.agree(reader, chat, [said], [kept])
    (row,) = await rows.ask("SELECT * FROM messages WHERE chat_id = :chat AND role = 'assistant'", chat=chat)
    assert (row.usage, row.runtime_ms, row.provider_response_id) == (None, None, None)
    await goes_on(caller, chat)


async def test_before_the_first_word_there_is_nothing_to_keep(caller: Caller, model: DemoModel):
    chat = await caller.create(held("mute", 0))
    reader = caller.read(chat)
    await model.reached("mute")
    await stop(caller, chat)
    await reader.rested(answers=0)
    assert reader.status == "waiting"
    await caller.agree(reader, chat, [held("mute", 0)], [])
    await goes_on(caller, chat)


async def test_a_thought_that_was_cut_is_kept_and_the_chat_goes_on(caller: Caller, model: DemoModel):
    chat = await caller.create(held("thought", 2, "thinking", thinking="so much to think of first"))
    reader = caller.read(chat)
    await model.reached("thought")
    await reader.until(lambda r: r.seqs)
    await stop(caller, chat)
    await reader.rested()
    (kept,) = reader.answers()
    (thought,) = parts_of(kept, "reasoning")
    assert "so much to think of first".startswith(thought["text"])
    assert thought["completed_at"]
    assert [part["type"] for part in kept["content"]] == ["reasoning"]
    await caller.rows.sound(chat)
    await goes_on(caller, chat)


async def test_a_half_written_call_is_kept_with_an_error_for_its_result(caller: Caller, model: DemoModel):
    call = {"name": "current_time", "input": {"timezone": "America/Argentina/Buenos_Aires"}}
    said = held("half-call", 1, "tool_input", thinking="a clock is needed", tools=[call])
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("half-call")
    await stop(caller, chat)
    await reader.rested()
    _, answer, result = await caller.messages(chat)
    assert [part["type"] for part in answer["content"]] == ["reasoning", "text", "tool-call"]
    (kept,) = parts_of(answer, "tool-call")
    (closed,) = parts_of(result, "tool-result")
    assert result["role"] == "tool"
    assert closed["tool_call_id"] == kept["tool_call_id"]
    assert closed["is_error"] is True
    assert closed["created_at"] > answer["content"][0]["created_at"], "it is of the time of the interrupt"
    await caller.agree(reader, chat, [said], [WORDS])
    await goes_on(caller, chat)


async def test_the_wait_before_a_retry_ends_at_once(caller: Caller, rows: Rows):
    later = {"kind": "status", "status": 529, "headers": {"retry-after": "50"}}
    said = script_block({"text": WORDS, "fault": [later]}) + " waits long"
    chat = await caller.create(said)
    reader = caller.read(chat)
    await reader.until(lambda r: [event for event in r.seen if event["type"] == "retry"])
    await stop(caller, chat)
    await reader.rested(answers=0)
    assert reader.status == "waiting"
    (row,) = await rows.ask("SELECT retry_state, last_error FROM chats WHERE id = :chat", chat=chat)
    assert (row.retry_state, row.last_error) == (None, None)
    await caller.agree(reader, chat, [said], [])
    late = caller.read(chat)
    await late.connected()
    assert "retry" not in [event["type"] for event in late.seen]
    await goes_on(caller, chat)


async def test_the_queue_goes_on_after_an_interrupt(caller: Caller, model: DemoModel):
    said = held("queue-behind", 4)
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("queue-behind")
    for word in ("second", "third"):
        await caller.send(chat, says(word))
    await stop(caller, chat)
    await reader.rested(3)
    kept = text_of(reader.answers()[0])
    await caller.agree(reader, chat, [said, says("second"), says("third")], [kept, "second", "third"])


async def test_an_interrupt_stops_the_turn_it_was_accepted_for_and_no_other(
    caller: Caller, model: DemoModel, rows: Rows
):
    async def race(name: str, pause: float) -> str:
        first, second = f"late-{name}-1", f"late-{name}-2"
        chat = await caller.create(held(first, 99))
        reader = caller.read(chat)
        await model.reached(first)
        await caller.send(chat, held(second, 4))
        stopping = asyncio.create_task(stop(caller, chat))
        await asyncio.sleep(pause)  # no event tells that the command is about to arrive
        model.release(first)
        await stopping
        model.release(second)
        await reader.rested()
        await rows.until(
            "SELECT 1 FROM chats WHERE id = :chat AND status = 'waiting' AND turn = 2", chat=chat
        )
        found = await rows.ask('SELECT turn, "end" FROM steps WHERE chat_id = :chat', chat=chat)
        ends = {row.turn: row.end for row in found}
        stored = [text_of(m) for m in await caller.messages(chat) if m["role"] == "assistant"]
        # a turn that is stopped before its step has begun leaves no step
        match ends[1], ends.get(2, "interrupted"):
            case "interrupted", "committed":
                assert stored == [WORDS, WORDS]
                stopped = "the first"
            case "committed", "committed":  # accepted for the first when all of its answer was there
                assert stored == [WORDS, WORDS]
                stopped = "the first, at its end"
            case "committed", "interrupted":
                assert stored[0] == WORDS
                assert WORDS.startswith("".join(stored[1:]))
                stopped = "the second"
            case other:
                raise AssertionError(f"one turn was to be stopped, not {other}")
        await caller.rows.sound(chat)
        return stopped

    seen: set[str] = set()
    for attempt in range(10):
        pauses = [number * 0.004 * (1 + attempt) for number in range(8)]
        seen.update(await asyncio.gather(*(race(f"{attempt}-{pause}", pause) for pause in pauses)))
        if attempt >= 2 and {"the first", "the second"} <= seen:
            return
    raise AssertionError(f"only one order was met: {seen}")
