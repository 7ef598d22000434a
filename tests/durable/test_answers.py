"""An answer on its way: seen piece by piece, stored once, and told to the model again as it was."""

import json
from typing import Any

import pytest

from activities.providers.demo import DemoModel, script_block
from activities.providers.demo.recorder import RecordedRequest
from tests.durable.caller import Body, Caller, Reader
from tests.durable.saying import held
from tests.durable.tools import THEIRS, asked, awaited, results, sound

CLOCK: Body = {"name": "current_time", "input": {"timezone": "America/Argentina/Buenos_Aires"}}


def deltas(reader: Reader, episode: tuple[int, int]) -> dict[str, str]:
    """What an episode has shown piece by piece, joined, by the kind of part."""
    shown: dict[str, str] = {"reasoning": "", "text": "", "tool-call": ""}
    for event in reader.seen:
        body = event.get("message_part", {})
        if (body.get("history_version"), body.get("generation_attempt")) == episode:
            part = body["part"]
            shown[part["type"]] += part.get("text", "") + part.get("args_delta", "")
    return shown


def told_results(request: RecordedRequest) -> dict[str, Any]:
    """The results in a request, by the ids of their calls, as text."""
    blocks = [block for message in request.body["messages"] for block in message["content"]]
    return {block["tool_use_id"]: block["content"] for block in blocks if block["type"] == "tool_result"}


def as_told(result: Body) -> str:
    """The text by which the model is told of a stored result."""
    said = result["result"]
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    ("of", "kind"), [("thinking", "reasoning"), ("text", "text"), ("tool_input", "tool-call")]
)
async def test_every_kind_of_part_is_seen_while_it_is_written_and_stored_once(
    caller: Caller, model: DemoModel, of: str, kind: str
):
    hold = f"while-written-{of}"
    chat = await caller.create(held(hold, 2, of, thinking="so much to think of", tools=[CLOCK]))
    reader = caller.read(chat)
    await model.reached(hold)
    await reader.until(lambda r: deltas(r, r.episode)[kind])
    episode, so_far = reader.episode, deltas(reader, reader.episode)[kind]
    assert [message["role"] for message in await caller.messages(chat)] == ["user"]
    model.release(hold)
    await reader.rested(2)
    thought, text, call = reader.answers()[0]["content"]
    shown = deltas(reader, episode)
    assert shown[kind] != so_far, "it was seen before it was whole"
    assert (shown["reasoning"], shown["text"]) == (thought["text"], text["text"])
    assert json.loads(shown["tool-call"]) == call["args"] == CLOCK["input"]
    await caller.rows.sound(chat)


async def test_each_step_is_told_the_results_of_all_steps_before_it(caller: Caller, model: DemoModel):
    unknown = {"name": "current_time", "input": {"timezone": "Nowhere"}}
    steps = [{"text": "One.", "tools": [CLOCK]}, {"text": "Two.", "tools": [unknown, CLOCK]}]
    chat = await caller.create(script_block(*steps, {"text": "Three."}))
    reader = caller.read(chat)
    await reader.rested(3)
    first, *others = await results(caller, chat)
    assert [one.get("is_error", False) for one in others] == [True, False]
    told = {one["tool_call_id"]: as_told(one) for one in (first, *others)}
    assert [told_results(request) for request in model.requests_of(chat)] == [
        {},
        {first["tool_call_id"]: as_told(first)},
        told,
    ]


async def test_behind_a_client_s_result_the_model_is_called_once_and_told_ours_too(
    caller: Caller, model: DemoModel
):
    chat, reader = await asked(caller, {"name": "theirs", "input": {}}, CLOCK, **THEIRS)
    await reader.until(lambda r: r.status == "requires_action" and awaited(r))
    (ours,) = await results(caller, chat)
    call_id = awaited(reader)[0]["tool_call_id"]
    said = {"results": [{"tool_call_id": call_id, "output": "their answer"}]}
    assert (await caller.post(chat, "tool-results", said)).status_code == 204
    await reader.rested(2)
    _, request = model.requests_of(chat)
    assert told_results(request) == {
        call_id: "their answer",
        ours["tool_call_id"]: as_told(ours),
    }
    await sound(caller, reader, chat)


async def test_nul_and_its_escape_are_stored_shown_and_told_as_they_were(caller: Caller, model: DemoModel):
    odd = 'real \x00, literal \\u0000, both \\\x00, C:\\0 and "\x00"'
    call = {"name": "theirs", "input": {"word": odd}}
    said = f"{script_block({'text': odd, 'tools': [call]}, {'text': odd})} {odd}"
    chat = await caller.create(said, **THEIRS)
    reader = caller.read(chat)
    await reader.until(lambda r: r.status == "requires_action" and awaited(r))
    (waits,) = awaited(reader)
    assert json.loads(waits["args"]) == {"word": odd}
    answer = {"results": [{"tool_call_id": waits["tool_call_id"], "output": odd}]}
    assert (await caller.post(chat, "tool-results", answer)).status_code == 204
    await reader.rested(2)
    await caller.agree(reader, chat, [said], [odd, odd])
    (result,) = await results(caller, chat)
    assert result["result"] == odd
    asked_first, answered, told = model.requests_of(chat)[-1].body["messages"]
    assert asked_first["content"][0]["text"] == said
    text, tool_use = answered["content"]
    assert (text["text"], tool_use["input"]) == (odd, {"word": odd})
    assert told_results(model.requests_of(chat)[-1]) == {waits["tool_call_id"]: odd}
    assert told["role"] == "user"
