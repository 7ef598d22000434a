"""What came in goes back in the next request, and the demo model checks every proof."""

import base64
import json
from typing import Any

import pytest

from activities.answer import AnswerBuilder
from activities.providers.demo import DemoModel
from activities.providers.openai import PROFILES
from activities.providers.openai.chat.messages import wire_messages
from activities.providers.openai.chat.stream import ChunkReader
from activities.providers.openai.responses.items import wire_items
from activities.providers.openai.responses.stream import ResponseReader
from activities.providers.protocol import FinishReason, PromptMessage
from models.model_options import CallConfig

from .conftest import NOON, Conversation, Make, answer, ask, script, typed

NOT_STORED = CallConfig.model_validate({"provider_options": {"openai": {"store": False}}})
PICTURE = base64.b64encode(b"\x89PNG not really").decode()
PAPER = base64.b64encode(b"%PDF-1.4 not really").decode()

HOSTED: list[dict[str, Any]] = [
    {"kind": "web_search", "input": {"query": "weather"}},
    {"kind": "code_interpreter", "input": {"code": "1 + 1"}, "output": "2"},
    {"kind": "file_search", "input": {"queries": ["notes"]}, "output": "a note"},
    {"kind": "mcp", "input": {"server_label": "s", "name": "look", "arguments": {"a": 1}}, "output": "seen"},
]
THINKING_TOOLS: dict[str, Any] = {
    "thinking": "Hm.\n The “clock” 🕰",
    "server_tools": HOSTED,
    "text": "Let me look.",
    "phase": "commentary",
    "sources": [{"url": "https://example.org/a", "title": "A"}, {"url": "https://example.org/a"}],
    "tools": [{"name": "current_time", "input": {"a": [1]}}, {"name": "current_time"}],
}


def outputs(model: DemoModel, index: int, kinds: dict[str, Any]) -> list[str]:
    return [item["type"] for item in model.requests[index].body["input"] if item["type"] in kinds]


@pytest.mark.parametrize("stored", [True, False])
async def test_items_go_back_in_their_place_named_by_id_only_where_they_are_stored(
    make: Make, model: DemoModel, stored: bool
) -> None:
    chat = Conversation(make("responses"), {} if stored else {"options": NOT_STORED})
    chat.say(script(THINKING_TOOLS, {"thinking": "So.", "text": "Noon.", "phase": "final_answer"}))
    kept, finish = await chat.listen()
    assert finish.reason is FinishReason.TOOL_CALLS
    assert (finish.response_id is not None) is stored
    chat.hand_in(kept)
    await chat.listen()
    chat.say("And now?")
    await chat.listen()

    assert [request.outcome for request in model.requests] == ["completed"] * 3
    items = model.requests[-1].body["input"]
    kinds = [item["type"] for item in items]
    assert kinds == [
        "message", "reasoning", "web_search_call", "code_interpreter_call", "file_search_call", "mcp_call",
        "message", "function_call", "function_call", "function_call_output", "function_call_output",
        "reasoning", "message", "message",
    ]  # fmt: skip
    reasoning, said, call = items[1], items[6], items[7]
    assert reasoning["encrypted_content"].startswith("gAAAA")
    assert reasoning["summary"] == [{"type": "summary_text", "text": "Hm.\n The “clock” 🕰"}]
    assert said["phase"] == "commentary"
    assert said["content"][0]["annotations"][0]["url"] == "https://example.org/a"
    assert items[-2]["phase"] == "final_answer"
    for item in (reasoning, said, call):
        assert ("id" in item) is stored
    assert items[3] == {
        "id": items[3]["id"], "type": "code_interpreter_call", "status": "completed", "code": "1 + 1",
        "container_id": items[3]["container_id"], "outputs": [{"type": "logs", "logs": "2"}],
    }  # fmt: skip


async def test_each_request_extends_the_one_before(make: Make, model: DemoModel) -> None:
    for name, field in (("responses", "input"), ("openrouter", "messages")):
        model.clear()
        chat = Conversation(make(name))
        chat.say(script(THINKING_TOOLS, {"text": "Noon."}))
        kept, _ = await chat.listen()
        chat.hand_in(kept)
        await chat.listen()
        chat.say("And now?")
        await chat.listen()
        told = [request.body[field] for request in model.requests]
        for shorter, longer in zip(told, told[1:], strict=False):
            assert longer[: len(shorter)] == shorter


async def test_tools_of_the_vendor_are_shown_in_place_and_never_run_here(make: Make) -> None:
    chat = Conversation(make("responses"))
    chat.say(script(THINKING_TOOLS))
    kept, _ = await chat.listen()
    assert [ref.name for ref in kept.calls] == ["current_time", "current_time"]
    shown = [part for part in kept.parts if part.get("provider_executed")]
    assert [(part["type"], part["tool_name"]) for part in shown] == [
        (kind, name)
        for name in ("web_search", "code_execution", "file_search", "mcp")
        for kind in ("tool-call", "tool-result")
    ]
    assert shown[0]["args"] == {"type": "search", "query": "weather"}
    assert shown[3]["result"]["outputs"] == [{"type": "logs", "logs": "2"}]
    assert shown[6]["args"]["arguments"] == {"a": 1}
    assert [part["url"] for part in kept.parts if part["type"] == "source"] == ["https://example.org/a"]


async def test_an_answer_of_vendor_tools_only_ends_the_turn(make: Make) -> None:
    chat = Conversation(make("responses"))
    chat.say(script({"server_tools": HOSTED[:1]}))
    kept, finish = await chat.listen()
    assert (finish.reason, kept.calls) == (FinishReason.STOP, [])


async def test_a_refusal_is_shown_and_goes_back_as_one(make: Make, model: DemoModel) -> None:
    for name in ("responses", "openai"):
        model.clear()
        chat = Conversation(make(name))
        chat.say(script({"refusal": "I will not."}))
        kept, _ = await chat.listen()
        assert [part["text"] for part in kept.parts] == ["I will not."]
        chat.say("Why?")
        await chat.listen()
        body = model.requests[-1].body
        sent = body["input"][1]["content"][0] if name == "responses" else body["messages"][2]
        assert sent["refusal"] == "I will not."


async def test_signed_pieces_of_reasoning_go_back_as_they_came(make: Make, model: DemoModel) -> None:
    chat = Conversation(make("openrouter"))
    chat.say(script({"thinking": "One two three.", "tools": [{"name": "current_time"}]}, {"text": "Noon."}))
    kept, _ = await chat.listen()
    chat.hand_in(kept)
    await chat.listen()
    sent = model.requests[-1].body["messages"][2]
    (detail,) = sent["reasoning_details"]
    assert detail["text"] == "One two three."
    assert detail["signature"]


async def test_plain_reasoning_goes_back_within_its_turn_only(make: Make, model: DemoModel) -> None:
    chat = Conversation(make("deepseek"))
    chat.say(script({"thinking": "One two.", "tools": [{"name": "current_time"}]}, {"text": "Noon."}))
    kept, _ = await chat.listen()
    chat.hand_in(kept)
    await chat.listen()
    assert model.requests[-1].body["messages"][2]["reasoning_content"] == "One two."
    chat.say("And now?")
    await chat.listen()
    assert all("reasoning_content" not in message for message in model.requests[-1].body["messages"])


async def test_what_another_vendor_signed_or_ran_becomes_text_or_is_left_out(
    make: Make, model: DemoModel
) -> None:
    foreign: list[dict[str, Any]] = [
        {"type": "reasoning", "text": "Hm", "provider_metadata": {"anthropic": {"signature": "s"}}},
        {
            "type": "tool-call", "tool_call_id": "srv", "tool_name": "web_search", "args": {"query": "x"},
            "provider_executed": True, "provider_metadata": {"anthropic": {"block": {"type": "s"}}},
        },
        {
            "type": "tool-result", "tool_call_id": "srv", "tool_name": "web_search", "result": "found it",
            "provider_executed": True, "provider_metadata": {"anthropic": {"block": {"type": "r"}}},
        },
        {"type": "text", "text": "There.", "provider_metadata": {"anthropic": {"citations": []}}},
        {"type": "tool-call", "tool_call_id": "toolu/1", "tool_name": "look.at", "args": None},
    ]  # fmt: skip
    result = {"type": "tool-result", "tool_call_id": "toolu/1", "tool_name": "look.at", "result": ""}
    for name in ("responses", "openai", "vllm"):
        model.clear()
        history = [
            typed("a"),
            PromptMessage("assistant", foreign),
            PromptMessage("tool", [result]),
            typed("b"),
        ]
        await answer(make(name), ask(*history))
        (request,) = model.requests
        assert request.outcome == "completed"
        text = request.raw_body.decode()
        assert "found it" in text
        assert "signature" not in text
        assert "look_at" in text


@pytest.mark.parametrize("name", ["responses", "openai", "openrouter", "deepseek"])
async def test_pictures_and_papers_of_users_and_tools(make: Make, model: DemoModel, name: str) -> None:
    picture = {"type": "file", "media_type": "image/png", "name": "a.png", "data": PICTURE}
    paper = {"type": "file", "media_type": "application/pdf", "name": "b.pdf", "data": PAPER}
    user = PromptMessage("user", [{"type": "text", "text": "look"}, picture, paper])
    call: dict[str, Any] = {
        "type": "tool-call",
        "tool_call_id": "c1",
        "tool_name": "current_time",
        "args": {},
    }
    media = {"media_type": "image/png", "data": PICTURE, "text": "a clock"}
    result = {"type": "tool-result", "tool_call_id": "c1", "tool_name": "current_time", "result": media}
    tool = PromptMessage("tool", [result | {"is_media": True}])
    await answer(make(name), ask(user, PromptMessage("assistant", [call]), tool))
    (request,) = model.requests
    assert request.outcome == "completed", request.body
    sent = request.raw_body.decode()
    assert sent.count(f"data:image/png;base64,{PICTURE}") == (0 if name == "deepseek" else 2)
    assert sent.count(f"data:application/pdf;base64,{PAPER}") == (0 if name == "deepseek" else 1)
    assert "a clock" in sent


async def test_ids_that_repeat_are_told_apart_on_the_wire(make: Make, model: DemoModel) -> None:
    call: dict[str, Any] = {
        "type": "tool-call",
        "tool_call_id": "call_0",
        "tool_name": "current_time",
        "args": {},
    }
    long_id = "x" * 100
    for name in ("responses", "openai"):
        model.clear()
        history: list[PromptMessage] = []
        for turn, call_id in enumerate(("call_0", "call_0", long_id)):
            result = {"type": "tool-result", "tool_name": "current_time", "result": turn}
            history += [
                typed(f"turn {turn}"),
                PromptMessage("assistant", [call | {"tool_call_id": call_id}]),
                PromptMessage("tool", [result | {"tool_call_id": call_id}]),
            ]
        await answer(make(name), ask(*history))
        assert model.requests[-1].outcome == "completed"


async def test_reasoning_that_led_to_nothing_is_not_sent(make: Make, model: DemoModel) -> None:
    chat = Conversation(make("responses"))
    chat.say(script({"thinking": "Hm.", "text": "Yes."}))
    kept, _ = await chat.listen()
    chat.messages[-1] = PromptMessage("assistant", kept.parts[:1])
    chat.say("Well?")
    await chat.listen()
    assert [item["type"] for item in model.requests[-1].body["input"]] == ["message", "message"]


async def test_a_chain_tells_only_what_is_new(make: Make, model: DemoModel) -> None:
    chat = Conversation(make("responses"))
    chat.say(script({"thinking": "Hm.", "text": "Yes."}))
    _, finish = await chat.listen()
    chat.messages = [typed(script({"text": "Of course."}))]
    chat.settings = {"previous_response_id": finish.response_id}
    kept, _ = await chat.listen()
    assert [part["text"] for part in kept.parts] == ["Of course."]
    assert len(model.requests[-1].body["input"]) == 1
    assert model.requests[-1].body["instructions"] == "Be brief."


UNKNOWN = {"type": "hologram", "id": "h_1", "light": [1, {"of": 2}]}


@pytest.mark.parametrize("stored", [True, False])
def test_an_item_nobody_knows_goes_back_in_its_place(stored: bool) -> None:
    events: list[dict[str, Any]] = [
        {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "See."}]},
        UNKNOWN,
        {"id": "msg_2", "type": "message", "content": [{"type": "output_text", "text": "There."}]},
    ]
    builder = AnswerBuilder(lambda: NOON)
    told = {"type": "response.completed", "response": {"id": "r", "output": events}}
    for event in ResponseReader("openai", "openai", stored=stored).read(json.dumps(told)):
        builder.add(event)
    items = wire_items([PromptMessage("assistant", builder.finished().parts)], "openai", stored=stored)
    assert [item["type"] for item in items] == ["message", "hologram", "message"]
    assert items[1] == UNKNOWN
    (elsewhere,) = wire_messages(
        [], [PromptMessage("assistant", builder.finished().parts)], "groq", PROFILES["groq"]
    )
    assert "of a kind that cannot be carried over: hologram" in elsewhere["content"]


def test_a_part_nobody_knows_goes_back_in_its_place_and_the_signature_of_a_text_with_it() -> None:
    extra = {"google": {"thought_signature": "s"}}
    content = [{"type": "text", "text": "See."}, UNKNOWN, {"type": "text", "text": "There."}]
    deltas: list[dict[str, Any]] = [{"content": content}, {"extra_content": extra}]
    reader, builder = ChunkReader("google", PROFILES["google"]), AnswerBuilder(lambda: NOON)
    for told in deltas:
        for event in reader.read(json.dumps({"id": "c", "choices": [{"index": 0, "delta": told}]})):
            builder.add(event)
    messages = [PromptMessage("assistant", builder.finished().parts)]
    (message,) = wire_messages([], messages, "google", PROFILES["google"])
    assert message == {"role": "assistant", "content": content, "extra_content": extra}
    (elsewhere,) = wire_messages([], messages, "groq", PROFILES["groq"])
    assert elsewhere["content"].startswith("See.\n\n(Something another provider sent")
    assert "extra_content" not in elsewhere
