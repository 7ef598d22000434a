"""What the vendor runs by itself: shown, stored in place, told back, and never run or made up here."""

from typing import Any

import pytest

from cli.stack import Stack
from tests.durable.caller import Body
from tests.durable.talks import Talk, parts

SEARCH: Body = {"kind": "web_search", "input": {"query": "weather"}}
FOUND: Body = {
    "server_tools": [SEARCH],
    "sources": [{"url": "https://example.org/weather", "title": "Weather"}],
    "text": "It rains.",
}
PAUSED: Body = {
    "thinking": "I look it up.",
    "text": "One moment.",
    "server_tools": [SEARCH],
    "stop_reason": "pause_turn",
}
TIME: Body = {"name": "current_time", "input": {}}

OTHERS: dict[str, list[Body]] = {
    "anthropic": [
        {"kind": "web_fetch", "input": {"url": "https://example.org"}, "output": "a page"},
        {"kind": "code_interpreter", "input": {"command": "ls"}, "output": "a.csv"},
        {"kind": "mcp", "input": {"name": "echo", "arguments": {"said": "hi"}}, "output": "hi"},
    ],
    "openai-responses": [
        {"kind": "file_search", "input": {"queries": ["notes"]}, "output": "a note"},
        {"kind": "code_interpreter", "input": {"code": "1 + 1"}, "output": "2"},
        {"kind": "mcp", "input": {"name": "echo", "arguments": {"said": "hi"}}, "output": "hi"},
    ],
}
NAMES = {
    "anthropic": ["web_fetch", "bash_code_execution", "echo"],
    "openai-responses": ["file_search", "code_execution", "mcp"],
}


def by_vendor(messages: list[Body], kind: str) -> list[Body]:
    return [part for part in parts(messages, kind, "assistant") if part.get("provider_executed")]


def roles(body: Any) -> list[str]:
    return [message["role"] for message in body["messages"]]


@pytest.mark.parametrize(
    ("kind", "other"), [("anthropic", "openai-responses"), ("openai-responses", "anthropic")]
)
async def test_whatever_the_vendor_runs_is_stored_in_place_and_goes_back(
    talk: Talk, kind: str, other: str
) -> None:
    step = {"thinking": "All.", "server_tools": OTHERS[kind], "text": "See.", "tools": [TIME]}
    messages = await talk.turn(kind, step, {"text": "Done."})
    calls, results = by_vendor(messages, "tool-call"), by_vendor(messages, "tool-result")
    assert [part["tool_name"] for part in calls] == NAMES[kind]
    assert [part["tool_call_id"] for part in results] == [part["tool_call_id"] for part in calls]
    (own,) = parts(messages, "tool-result", "tool")
    assert own["tool_name"] == "current_time", "nothing of the vendor's is run here or answered for it"
    kinds = [part["type"] for part in messages[1]["content"] if part["type"] != "source"]
    assert kinds == ["reasoning", *["tool-call", "tool-result"] * 3, "text", "tool-call"]

    await talk.turn(kind, {"text": "Again."})
    await talk.turn(other, {"text": "Elsewhere."})
    await talk.turn(kind, {"text": "Back."})
    await talk.is_sound("See.", "Done.", "Again.", "Elsewhere.", "Back.")
    assert "a.csv" in talk.sent()[3].raw_body.decode() or "a note" in talk.sent()[3].raw_body.decode()


@pytest.mark.parametrize("kind", ["openai-chat", "openrouter"])
async def test_what_was_found_is_shown_where_searches_are_not(talk: Talk, kind: str) -> None:
    messages = await talk.turn(kind, FOUND | {"tools": [TIME]}, {"text": "Done."})
    assert by_vendor(messages, "tool-call") == []
    assert [part["url"] for part in parts(messages, "source")] == ["https://example.org/weather"]
    body = talk.sent()[0].body
    own = "web_search_options" in body or "openrouter:web_search" in [tool["type"] for tool in body["tools"]]
    assert own, "the server was asked to search"
    await talk.turn(kind, {"text": "Again."})
    await talk.is_sound("It rains.", "Done.", "Again.")


async def test_a_paused_answer_goes_on_and_is_shown_once(talk: Talk) -> None:
    messages = await talk.turn("anthropic", PAUSED, FOUND | {"tools": [TIME]}, {"text": "Done."})
    (call,), (result,) = by_vendor(messages, "tool-call"), by_vendor(messages, "tool-result")
    assert result["tool_call_id"] == call["tool_call_id"]
    assert [part["url"] for part in parts(messages, "source")] == ["https://example.org/weather"]
    assert len(parts(messages, "tool-result", "tool")) == 1, "the search is not run here"
    asked, paused, with_result = [request.body for request in talk.sent()]
    assert [roles(asked), roles(paused)] == [["user"], ["user", "assistant"]]
    assert roles(with_result) == ["user", "assistant", "user"], "what went on is one answer"

    await talk.turn("anthropic", {"text": "Again."})
    await talk.turn("openai-responses", {"text": "Elsewhere."})
    await talk.turn("anthropic", {"text": "Back."})
    await talk.is_sound("One moment.", "It rains.", "Done.", "Again.", "Elsewhere.", "Back.")


async def test_a_worker_killed_behind_a_pause_repeats_neither_half(talk: Talk, perdure: Stack) -> None:
    held = FOUND | {"hold": {"name": "behind-a-pause", "after_pieces": 1}}
    reader = await talk.say("anthropic", PAUSED, held)
    await talk.model.reached("behind-a-pause")
    await reader.until(lambda r: r.preview == "It ")
    await perdure.kill("worker")
    talk.model.release("behind-a-pause")
    await perdure.start("worker")
    await reader.rested(talk.answers)
    await talk.is_sound("One moment.", "It rains.")
    messages = await talk.caller.messages(talk.chat)
    assert len(by_vendor(messages, "tool-call")) == len(by_vendor(messages, "tool-result")) == 1
    assert [roles(request.body)[-1] for request in talk.sent()] == ["user", "assistant", "assistant"]


async def test_a_turn_stopped_behind_a_pause_leaves_a_history_that_is_taken(talk: Talk) -> None:
    held = FOUND | {"hold": {"name": "stopped-pause", "after_pieces": 0}}
    reader = await talk.say("anthropic", PAUSED, held)
    await talk.model.reached("stopped-pause")
    assert (await talk.caller.interrupt(talk.chat)).status_code == 200
    talk.answers -= 1
    await reader.rested(talk.answers)
    for kind in ("anthropic", "openai-responses"):
        await talk.turn(kind, {"text": "On."})
    messages = await talk.caller.messages(talk.chat)
    assert by_vendor(messages, "tool-result") == [], "nobody makes up what the vendor would have found"
    await talk.is_sound("One moment.", "On.", "On.")
