"""Rules that hold for every summary: how often a turn goes on behind one, and what stays as it was."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from activities.prompt.summary import INSTRUCTION
from activities.providers.demo import DemoModel, script_block
from activities.providers.demo.recorder import RecordedRequest
from tests.durable.caller import Caller, text_of
from tests.durable.saying import says
from tests.durable.talks import Talk
from tests.durable.tools import THEIRS

FULL = {"input_tokens": 150_000, "output_tokens": 5}
REENTRIES = 3


def system_of(request: RecordedRequest) -> list[str]:
    return [block["text"] for block in request.body["system"]]


async def summaries(caller: Caller, chat: str) -> int:
    rows = await caller.rows.ask(
        "SELECT 1 FROM messages WHERE chat_id = :chat AND compressed AND visibility = 'model'", chat=chat
    )
    return len(rows)


@pytest.fixture
async def always_full(caller: Caller) -> AsyncGenerator[None]:
    """The caller wants a summary behind every step."""
    (demo,) = await caller.rows.ask(
        "SELECT m.id FROM model_configs m JOIN memberships USING (organization_id) WHERE m.is_default"
    )
    path = f"/chats/config/user-compaction-thresholds/{demo.id}"
    assert (await caller.v2.put(path, json={"threshold_percent": 0})).status_code == 200
    yield
    assert (await caller.v2.delete(path)).status_code == 204


@pytest.fixture
async def own_prompt(caller: Caller) -> AsyncGenerator[str]:
    """What the caller wants every model to know."""
    path, prompt = "/chats/config/user-prompt", "I prefer short answers."
    assert (await caller.v2.put(path, json={"custom_prompt": prompt})).status_code == 200
    yield prompt
    assert (await caller.v2.put(path, json={"custom_prompt": ""})).status_code == 200


async def test_a_turn_goes_on_behind_its_summary_three_times_and_no_more(
    caller: Caller, model: DemoModel, always_full: None
):
    chat = await caller.create(says("done"))
    reader = caller.read(chat)
    await reader.until(lambda r: r.status == "waiting" and len(r.messages) == 1 + 1 + REENTRIES * 3 + 2)
    last_words = [request.body["messages"][-1]["content"][-1]["text"] for request in model.requests_of(chat)]
    assert [words == INSTRUCTION for words in last_words] == [False, True] * (1 + REENTRIES)
    assert await summaries(caller, chat) == 1 + REENTRIES
    await caller.rows.sound(chat)


async def test_behind_a_summary_the_model_is_told_the_same_instructions(
    caller: Caller, model: DemoModel, own_prompt: str
):
    said = script_block({"text": "done", "usage": FULL})
    chat = await caller.create(said, system_prompt="You are a lighthouse keeper.")
    await caller.read(chat).rested(3)
    step, summary, again = map(system_of, model.requests_of(chat))
    assert any("lighthouse keeper" in text for text in step)
    assert any(own_prompt in text for text in step)
    assert step == summary == again
    await caller.rows.sound(chat)


async def test_a_summary_is_asked_for_with_the_tools_of_the_chat(caller: Caller, model: DemoModel):
    said = script_block({"text": "done", "usage": FULL})
    chat = await caller.create(said, active_tools=["current_time"], **THEIRS)
    await caller.read(chat).rested(3)
    for request in model.requests_of(chat):
        assert [tool["name"] for tool in request.body["tools"]] == ["current_time", "theirs"]
    step, summary, _ = model.requests_of(chat)
    assert step.body["tools"] == summary.body["tools"]


async def test_a_question_without_an_answer_stays_out_of_the_summary_and_behind_it(
    caller: Caller, model: DemoModel
):
    first, second = says("first"), says("second")
    chat = await caller.create(first)
    reader = caller.read(chat)
    await reader.rested()
    model.order_fault({"kind": "status", "status": 400, "message": "prompt is too long: 200001 > 200000"})
    await caller.send(chat, second)
    await reader.rested(3)
    _, refused, summary, answered = model.requests_of(chat)
    assert second in str(refused.body["messages"][-1]["content"][0]["text"])
    assert "say second" not in str(summary.body["messages"])
    behind: list[Any] = answered.body["messages"][-1]["content"]
    assert [block["text"] for block in behind][-1] == second
    assert text_of(reader.answers()[-1]) == "second"
    assert await summaries(caller, chat) == 1
    await caller.rows.sound(chat)


async def test_what_openai_remembers_is_told_whole_for_a_summary(talk: Talk):
    kind = "openai-responses"
    await talk.turn(kind, {"text": "First."})
    reader = await talk.say(kind, {"text": "Second.", "usage": FULL})
    await reader.until(lambda r: r.status == "waiting" and len(r.messages) == 7)
    first, second, summary, again = talk.sent()
    assert ["previous_response_id" in one.body for one in (first, second, summary, again)] == [
        *(False, True, False, False)
    ]
    told = str(summary.body["input"])
    assert all(words in told for words in ("First.", "Second."))
    assert len(again.body["input"]) == 1, "what follows is told the summary alone"
    await talk.caller.rows.sound(talk.chat)
