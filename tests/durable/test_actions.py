"""Calls that wait for somebody outside, and turns that are steered while they run."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Body, Caller, Reader
from tests.durable.calling import calling
from tests.durable.processes import ToolWorker, another_api
from tests.durable.rows import Rows, until
from tests.durable.side_effects import Effects
from tests.durable.tools import THEIRS, asked, awaited, call, results, shown_results, sound


@pytest.fixture(scope="module")
async def impatient_api(perdure: Stack) -> AsyncGenerator[str]:
    """An API whose chats wait for three seconds only: long enough to decide about a call meanwhile."""
    async with another_api(perdure, PERDURE_ACTION_TIMEOUT_SECONDS="3") as url:
        yield url


@pytest.fixture
async def impatient(
    perdure: Stack, impatient_api: str, model: DemoModel, rows: Rows
) -> AsyncGenerator[Caller]:
    async with calling(perdure, impatient_api, rows, model) as caller:
        yield caller


async def waiting(reader: Reader, calls: int = 1) -> list[str]:
    """Wait until the chat asks for an action; the ids of the calls it is about."""
    await reader.until(lambda r: r.status == "requires_action" and len(awaited(r)) == calls)
    return [one["tool_call_id"] for one in awaited(reader)]


async def answer(caller: Caller, chat: str, *outputs: tuple[str, object]) -> int:
    body = {"results": [{"tool_call_id": call_id, "output": output} for call_id, output in outputs]}
    return (await caller.http.post(f"{caller.url}/{chat}/tool-results", json=body)).status_code


async def decide(caller: Caller, chat: str, call_id: str, decision: str, **more: str) -> int:
    body = {"approvals": [{"tool_call_id": call_id, "decision": decision, **more}]}
    return (await caller.http.post(f"{caller.url}/{chat}/approvals", json=body)).status_code


async def test_ten_clients_answer_at_once_and_one_is_heard(worker: ToolWorker, caller: Caller, word: str):
    chat, reader = await asked(caller, call("theirs", word), **THEIRS)
    (call_id,) = await waiting(reader)
    (told,) = awaited(reader)
    assert told == {
        "tool_call_id": call_id, "tool_name": "theirs", "args": f'{{"word":"{word}"}}', "action": "result"
    }  # fmt: skip
    statuses = await asyncio.gather(*(answer(caller, chat, (call_id, {"n": n})) for n in range(10)))
    assert sorted(statuses) == [204] + [409] * 9
    await reader.rested(2)
    (result,) = await results(caller, chat)
    assert result["result"] == {"n": statuses.index(204)}
    await sound(caller, reader, chat)


async def test_wrong_answers_change_nothing(worker: ToolWorker, caller: Caller, word: str):
    chat, reader = await asked(caller, call("theirs", word), call("theirs", f"{word}b"), **THEIRS)
    first, second = await waiting(reader, 2)
    url = f"{caller.url}/{chat}/tool-results"
    for outputs in ([], [(first, 1)], [(first, 1), (first, 2)], [(first, 1), (second, 2), ("other", 3)]):
        assert await answer(caller, chat, *outputs) == 400, outputs
    without_output = {"results": [{"tool_call_id": first}, {"tool_call_id": second}]}
    assert (await caller.http.post(url, json=without_output)).status_code == 400
    assert (await caller.http.post(url, content=b'{"results": [{"output": NaN}]}')).status_code == 400
    assert await decide(caller, chat, first, "approve") == 400
    assert await results(caller, chat) == []
    body = {"results": [{"tool_call_id": one, "output": "\x00", "is_error": True} for one in (second, first)]}
    key = {"Idempotency-Key": str(uuid4())}
    for _ in range(2):
        assert (await caller.http.post(url, json=body, headers=key)).status_code == 204
    await reader.rested(2)
    assert [r["tool_call_id"] for r in await results(caller, chat)] == [first, second]
    assert await answer(caller, chat, (first, 1)) == 409
    await sound(caller, reader, chat)


async def test_a_client_s_result_is_cut_to_what_the_model_takes_in_and_no_letter_is_lost(
    worker: ToolWorker, caller: Caller, model: DemoModel, word: str
):
    chat, reader = await asked(caller, call("theirs", word), call("theirs", f"{word}b"), **THEIRS)
    first, second = await waiting(reader, 2)
    odd = "\x00 \\u0000 \U0001f980"
    assert await answer(caller, chat, (first, "x" * 200_000), (second, {"odd": odd})) == 204
    await reader.rested(2)
    long, short = await results(caller, chat)
    assert "bytes left out here" in long["result"]
    assert len(long["result"]) < 200_000
    assert short["result"] == {"odd": odd}
    await sound(caller, reader, chat)


async def test_in_a_mixed_step_our_own_tools_run_first_and_a_killed_worker_forgets_nothing(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("theirs", word), call("once", word, waits=False), **THEIRS)
    (call_id,) = await waiting(reader)
    assert [r["tool_name"] for r in await results(caller, chat)] == ["once"]
    await worker.kill()
    late = caller.read(chat)
    assert await waiting(late) == [call_id]
    await worker.start()

    async def taken() -> list[bool]:  # a new worker is not heard of at once
        return [True] if await answer(caller, chat, (call_id, "their answer")) == 204 else []

    await until(taken)
    for one in (reader, late):
        await one.rested(2)
        await sound(caller, one, chat)
    assert [r["tool_name"] for r in await results(caller, chat)] == ["once", "theirs"]
    assert effects.lines(word) == ["began", "done"]


async def test_nobody_answers_in_time(worker: ToolWorker, impatient: Caller, word: str):
    chat, reader = await asked(impatient, call("theirs", word), call("guarded", word), **THEIRS)
    await reader.rested(2)
    assert len(awaited(reader)) == 2
    first, second = await results(impatient, chat)
    assert first["result"] == "The client gave no result for this tool call in time."
    assert second["result"].startswith("Nobody approved this tool call in time.")
    assert (first["is_error"], second["is_error"]) == (True, True)
    await sound(impatient, reader, chat)


async def test_an_interrupt_while_a_client_is_awaited_lets_the_model_go_on(
    worker: ToolWorker, caller: Caller, word: str
):
    chat, reader = await asked(caller, call("theirs", word), **THEIRS)
    await waiting(reader)
    answered = await caller.interrupt(chat)
    assert (answered.status_code, answered.json()["status"]) == (200, "running")
    await reader.rested(2)
    (result,) = await results(caller, chat)
    assert result["is_error"]
    await sound(caller, reader, chat)


async def test_messages_while_a_client_is_awaited(worker: ToolWorker, caller: Caller, word: str):
    chat, reader = await asked(caller, call("theirs", word), **THEIRS)
    await waiting(reader)
    queued = await caller.send(chat, f"{script_block({'text': 'One.'})} {uuid4()}")
    assert queued["queued"]
    sent = await caller.send(chat, f"{script_block({'text': 'Two.'})} {uuid4()}", busy="interrupt")
    assert [message["role"] for message in sent["messages"]] == ["tool"]
    await reader.rested(4)
    answers = [message["content"][0]["text"] for message in reader.answers()]
    assert answers == ["Let me see.", "There.", "One.", "Two."]
    await caller.rows.sound(chat)


async def test_approved_and_denied_calls(worker: ToolWorker, caller: Caller, effects: Effects, word: str):
    chat, reader = await asked(
        caller,
        call("guarded", word, waits=False),
        call("once", f"{word}b", waits=False),
        call("again", f"{word}c", waits=False),
        approval_required_tools=["again"],
    )
    first, third = await waiting(reader, 2)
    assert [one["action"] for one in awaited(reader)] == ["approval", "approval"]
    assert effects.lines(word) == effects.lines(f"{word}c") == []
    assert await decide(caller, chat, third, "deny", reason="Not on a Friday.") == 204
    assert await waiting(reader) == [first]
    assert await decide(caller, chat, third, "approve") == 400
    assert await decide(caller, chat, first, "approve") == 204
    await reader.rested(2)
    told = {result["tool_name"]: result for result in await results(caller, chat)}
    assert told["guarded"]["result"] == {"done": word}
    assert told["again"]["is_error"]
    assert told["again"]["result"].endswith("Their reason: Not on a Friday.")
    assert (effects.lines(word), effects.lines(f"{word}c")) == (["began", "done"], [])
    await sound(caller, reader, chat)


async def test_calls_are_decided_one_by_one_and_the_chat_waits_until_the_last(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    words = [word, f"{word}b", f"{word}c"]
    chat, reader = await asked(caller, *(call("guarded", one, waits=False) for one in words))
    waits_for = await waiting(reader, 3)
    for left in (2, 1):
        assert await decide(caller, chat, waits_for.pop(0), "approve") == 204
        assert await waiting(reader, left) == waits_for
        now = await caller.http.get(f"{caller.url}/{chat}")
        assert now.json()["status"] == reader.status == "requires_action"
        late = caller.read(chat)
        assert await waiting(late, left) == waits_for
    assert [effects.lines(one) for one in words] == [[], [], []], "nothing has run yet"
    assert await decide(caller, chat, waits_for[0], "approve") == 204
    await reader.rested(2)
    assert [effects.lines(one) for one in words] == [["began", "done"]] * 3
    await sound(caller, reader, chat)


async def test_what_was_approved_runs_though_nobody_decides_about_the_rest_in_time(
    worker: ToolWorker, impatient: Caller, effects: Effects, word: str
):
    calls = [call("guarded", word, waits=False), call("guarded", f"{word}b", waits=False)]
    chat, reader = await asked(impatient, *calls)
    first, _ = await waiting(reader, 2)
    assert await decide(impatient, chat, first, "approve") == 204
    await reader.rested(2)
    undecided, approved = await results(impatient, chat)
    assert undecided["result"].startswith("Nobody approved this tool call in time.")
    assert (undecided["is_error"], approved["result"]) == (True, {"done": word})
    assert (effects.lines(word), effects.lines(f"{word}b")) == (["began", "done"], [])
    await sound(impatient, reader, chat)


async def test_a_client_s_tool_waits_for_approval_first_and_then_for_its_result(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    chat, reader = await asked(
        caller,
        call("theirs", word),
        call("theirs", f"{word}b"),
        call("guarded", f"{word}c"),
        **THEIRS,
        approval_required_tools=["theirs"],
    )
    first, second, third = await waiting(reader, 3)
    assert [one["action"] for one in awaited(reader)] == ["approval"] * 3
    assert await answer(caller, chat, (first, "too early"), (second, "too early")) == 400
    assert await decide(caller, chat, first, "approve") == 204
    await reader.until(lambda r: [one["action"] for one in awaited(r)] == ["result", "approval", "approval"])
    assert await decide(caller, chat, second, "deny") == 204
    assert await answer(caller, chat, (first, "theirs")) == 204
    assert await waiting(reader) == [third], "results leave the chat waiting for the decision"
    assert await decide(caller, chat, third, "approve") == 204
    effects.open(f"{word}c")
    await reader.rested(2)
    told = {result["tool_call_id"]: result for result in await results(caller, chat)}
    assert (told[first]["result"], told[second]["is_error"]) == ("theirs", True)
    assert told[third]["result"] == {"done": f"{word}c"}
    await sound(caller, reader, chat)


async def test_a_killed_worker_does_not_forget_an_approval(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("guarded", word))
    (call_id,) = await waiting(reader)
    assert await decide(caller, chat, call_id, "approve") == 204
    await effects.reached(word, "began")
    await worker.kill()
    await worker.start()
    await reader.rested(2)
    (result,) = await results(caller, chat)
    assert result["result"].startswith("It is not known whether guarded did its work")
    assert effects.lines(word) == ["began"]
    await sound(caller, reader, chat)


async def test_a_message_that_steers_joins_the_turn_before_its_next_model_call(
    worker: ToolWorker, caller: Caller, model: DemoModel, effects: Effects, word: str
):
    chat, reader = await asked(caller, call("once", word))
    await effects.reached(word, "began")
    ordinary = await caller.send(chat, f"{script_block({'text': 'Ordinary.'})} {uuid4()}")
    sent = await caller.send(chat, f"{script_block({'text': 'Steered.'})} {uuid4()}", busy="steer")
    assert (ordinary["queued"], sent["queued"]) == (True, True)
    assert effects.lines(word) == ["began"], "no tool was stopped"
    effects.open(word)
    await reader.rested(3)
    answers = [message["content"][0]["text"] for message in reader.answers()]
    assert answers == ["Let me see.", "Steered.", "Ordinary."]
    roles = [message["role"] for message in await caller.messages(chat)]
    assert roles == ["user", "assistant", "tool", "user", "assistant", "user", "assistant"]
    (row,) = await caller.rows.ask("SELECT turn, steering FROM chats WHERE id = :chat", chat=chat)
    assert (row.turn, row.steering) == (2, 0)
    await caller.rows.sound(chat)


async def test_steering_that_comes_too_late_is_a_message_like_any_other(
    worker: ToolWorker, caller: Caller, model: DemoModel
):
    said = script_block({"text": "one two three", "hold": {"name": "late-steer", "after_pieces": 1}})
    chat = await caller.create(f"{said} {uuid4()}")
    reader = caller.read(chat)
    await model.reached("late-steer")
    await caller.send(chat, f"{script_block({'text': 'Steered.'})} {uuid4()}", busy="steer")
    model.release("late-steer")
    await reader.rested(2)
    (row,) = await caller.rows.ask("SELECT turn, steering FROM chats WHERE id = :chat", chat=chat)
    assert (row.turn, row.steering) == (2, 0)
    idle = await caller.send(chat, f"{script_block({'text': 'At once.'})} {uuid4()}", busy="steer")
    assert not idle["queued"]
    await reader.rested(3)
    await caller.rows.sound(chat)


async def test_a_tool_that_must_run_alone_runs_with_no_other(
    worker: ToolWorker, caller: Caller, model: DemoModel, effects: Effects, word: str
):
    calls = [call("once", word), call("alone", word), call("theirs", word)]
    chat, reader = await asked(caller, *calls, **THEIRS)
    await reader.rested(2)
    once, alone, theirs = await results(caller, chat)
    assert effects.lines(word) == []
    assert once["result"] == theirs["result"]
    assert once["result"].startswith("Skipped: alone was called in the same step")
    assert alone["result"].startswith("alone must be called alone")
    assert len(shown_results(reader)) == 3
    assert len(model.requests_of(chat)) == 2
    await sound(caller, reader, chat)


@pytest.mark.parametrize(("times", "lines"), [(1, ["began", "done"]), (3, [])])
async def test_a_tool_that_must_run_alone_does_so_when_it_is_called_once(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str, times: int, lines: list[str]
):
    chat, reader = await asked(caller, *[call("alone", word, waits=False)] * times)
    await reader.rested(2)
    assert effects.lines(word) == lines
    assert [one.get("is_error", False) for one in await results(caller, chat)] == [times > 1] * times
    await sound(caller, reader, chat)


@pytest.mark.parametrize(("name", "answers"), [("last", 1), ("last_fails", 2)])
async def test_the_success_of_a_stop_after_tool_ends_the_turn(
    worker: ToolWorker, caller: Caller, word: str, name: str, answers: int
):
    chat, reader = await asked(caller, call(name, word, waits=False))
    await reader.until(lambda r: r.status == "waiting" and len(r.messages) == 2 + answers)
    roles = [message["role"] for message in await caller.messages(chat)]
    assert roles == ["user", "assistant", "tool", "assistant"][: 2 + answers]
    await caller.rows.sound(chat)


async def test_a_full_context_is_compacted_before_a_stop_after_tool_ends_the_turn(
    worker: ToolWorker, caller: Caller, word: str
):
    full = {"input_tokens": 150_000, "output_tokens": 5}
    step = {"text": "Let me see.", "tools": [call("last", word, waits=False)], "usage": full}
    chat = await caller.create(f"{script_block(step)} {word}")
    reader = caller.read(chat)
    await reader.until(lambda r: r.status == "waiting" and len(r.messages) == 5)
    *_, asked_for, summary = await caller.messages(chat)
    assert (asked_for["role"], summary["role"]) == ("assistant", "tool")
    assert summary["content"][0]["tool_name"] == "chat_summarized"
    left = "SELECT 1 FROM inbox_notifications WHERE chat_id = :chat"
    assert len(await caller.rows.ask(left, chat=chat)) == 1
    await caller.rows.sound(chat)


async def test_what_is_not_active_is_neither_offered_nor_run_until_it_is(
    worker: ToolWorker, caller: Caller, model: DemoModel, effects: Effects, word: str
):
    only = {"active_tools": ["again"], **THEIRS}
    chat, reader = await asked(caller, call("once", word, waits=False), **only)
    await reader.rested(2)
    assert [tool["name"] for tool in model.requests_of(chat)[-1].body["tools"]] == ["again", "theirs"]
    (refused,) = await results(caller, chat)
    assert (refused["is_error"], refused["result"]) == (True, "The tool once is not active in this turn.")
    assert effects.lines(word) == []
    changed = await caller.http.patch(f"{caller.url}/{chat}", json={"active_tools": []})
    assert changed.status_code == 204
    said = script_block({"tools": [call("once", word, waits=False)]}, {"text": "Now."})
    await caller.send(chat, f"{said} {uuid4()}")
    await reader.rested(4)
    assert effects.lines(word) == ["began", "done"]
    await caller.rows.sound(chat)


async def test_a_client_s_tool_named_like_ours_gives_way(
    worker: ToolWorker, caller: Caller, model: DemoModel, effects: Effects, word: str
):
    clash: dict[str, Any] = {
        "unsafe_dynamic_tools": [{"name": "once", "inputSchema": {}}, *THEIRS["unsafe_dynamic_tools"]]
    }
    chat, reader = await asked(caller, call("once", word, waits=False), **clash)
    await reader.rested(2)
    assert effects.lines(word) == ["began", "done"]
    offered: list[Body] = model.requests_of(chat)[-1].body["tools"]
    names = [tool["name"] for tool in offered]
    assert names == sorted(set(names))
    assert "theirs" in names
    await sound(caller, reader, chat)
