"""Whole requests, as they go over the wire."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.providers.anthropic.request import Dialect, wire_request
from activities.providers.protocol import ModelRequest, PromptMessage, ToolSpec

MARK = {"type": "ephemeral"}
OLDER = "claude-sonnet-4-5"
"""A model that thinks within a budget."""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sent(request: ModelRequest, dialect: Dialect = Dialect("anthropic")) -> dict[str, Any]:
    """The body of the call."""
    return wire_request(request, dialect, NOON).body


def request(*messages: PromptMessage, **changes: Any) -> ModelRequest:
    given: dict[str, Any] = {
        "model": "claude-x",
        "system": [],
        "messages": messages,
        "tools": [],
        "max_output_tokens": 100,
    }
    return ModelRequest(**(given | changes))


def user(*texts: str) -> PromptMessage:
    return PromptMessage("user", [{"type": "text", "text": text} for text in texts])


def call(call_id: str, args: Any = None) -> dict[str, Any]:
    return {"type": "tool-call", "tool_call_id": call_id, "tool_name": "look", "args": args}


def result(call_id: str, value: Any, **more: Any) -> PromptMessage:
    part = {"type": "tool-result", "tool_call_id": call_id, "tool_name": "look", "result": value, **more}
    return PromptMessage("tool", [part])


def content(body: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """Blocks of a message, without cache points."""
    return [
        {key: value for key, value in block.items() if key != "cache_control"}
        for block in body["messages"][index]["content"]
    ]


def test_a_whole_request() -> None:
    reasoning = {
        "type": "reasoning",
        "text": "Hm.",
        "created_at": "2026-01-01T00:00:00Z",
        "provider_metadata": {"anthropic": {"signature": "sig+/="}},
    }
    hidden = {"type": "reasoning", "text": "", "provider_metadata": {"anthropic": {"redacted_data": "xx"}}}
    unsigned = {"type": "reasoning", "text": "lost"}
    foreign = {"type": "reasoning", "text": "theirs", "provider_metadata": {"demo": {"signature": "d"}}}
    snippet = {
        "type": "file-reference",
        "file_name": "a.py",
        "start_line": 3,
        "end_line": 4,
        "content": "x = 1\ny = 2",
    }
    said = {"type": "text", "text": "Looking."}
    body = sent(
        request(
            PromptMessage("user", [{"type": "text", "text": "What is this?"}, snippet]),
            PromptMessage(
                "assistant",
                [reasoning, hidden, unsigned, foreign, said, call("a.1", {"q": 1}), call("b", "{bro")],
            ),
            result("a.1", {"n": "é"}),
            result("b", "no such thing", is_error=True),
            user("And now?"),
            system=["Be brief.", "  ", "Be kind."],
            tools=[
                ToolSpec("look", "Look.", {"type": "object", "properties": {"q": {}}, "required": ["q"]}),
                ToolSpec("wait", "Wait.", {"type": "object", "properties": {}, "required": []}),
            ],
        )
    )
    assert body == {
        "model": "claude-x",
        "max_tokens": 100,
        "system": [
            {"type": "text", "text": "Be brief."},
            {"type": "text", "text": "Be kind.", "cache_control": MARK},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "text", "text": "[file: a.py, lines 3-4]\nx = 1\ny = 2"},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "sig+/="},
                    {"type": "redacted_thinking", "data": "xx"},
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "a_1", "name": "look", "input": {"q": 1}},
                    {
                        "type": "tool_use",
                        "id": "b",
                        "name": "look",
                        "input": {"_raw": "{bro"},
                        "cache_control": MARK,
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "a_1", "content": '{"n":"é"}'},
                    {
                        "type": "tool_result",
                        "tool_use_id": "b",
                        "content": "no such thing",
                        "is_error": True,
                    },
                    {"type": "text", "text": "And now?", "cache_control": MARK},
                ],
            },
        ],
        "tools": [
            {
                "name": "look",
                "description": "Look.",
                "input_schema": {"type": "object", "properties": {"q": {}}, "required": ["q"]},
            },
            {"name": "wait", "description": "Wait.", "input_schema": {"type": "object", "properties": {}}},
        ],
    }


def test_nothing_of_the_caller_is_changed() -> None:
    given = request(
        user("a"),
        PromptMessage("assistant", [call("a", {"deep": [1]})]),
        result("a", {"x": 1}),
        user("b"),
        system=["s"],
        tools=[ToolSpec("look", "", {"type": "object", "required": []})],
    )
    before = copy.deepcopy(given)
    sent(given)
    assert given == before


def test_blank_texts_and_messages_left_empty_are_dropped_and_neighbours_become_one() -> None:
    body = sent(
        request(user("a", " \n"), PromptMessage("assistant", [{"type": "text", "text": " "}]), user("b"))
    )
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert [block["text"] for block in content(body, 0)] == ["a", "b"]


def test_results_come_first_whatever_stood_between() -> None:
    body = sent(
        request(
            user("a"),
            PromptMessage("assistant", [call("1"), call("2")]),
            result("1", "x"),
            user("meanwhile"),
            result("2", "y"),
        )
    )
    assert [block["type"] for block in content(body, 2)] == ["tool_result", "tool_result", "text"]


@pytest.mark.parametrize(
    ("args", "wanted"),
    [(None, {}), ({}, {}), ({"a": None}, {"a": None}), ("{x", {"_raw": "{x"}), ([1], {"_raw": [1]})],
)
def test_arguments_are_always_an_object(args: Any, wanted: dict[str, Any]) -> None:
    body = sent(request(PromptMessage("assistant", [call("1", args)])))
    assert content(body, 0)[0]["input"] == wanted


@pytest.mark.parametrize(
    ("value", "error", "wanted"),
    [
        ("text", None, {"content": "text"}),
        ("", None, {}),
        ("", True, {"content": "The tool failed.", "is_error": True}),
        (None, None, {"content": "null"}),
        ([1, {"a": "é"}], False, {"content": '[1,{"a":"é"}]'}),
    ],
)
def test_a_result_is_text(value: Any, error: bool | None, wanted: dict[str, Any]) -> None:
    body = sent(request(result("1", value, is_error=error)))
    assert content(body, 0) == [{"type": "tool_result", "tool_use_id": "1", **wanted}]


@pytest.mark.parametrize(
    ("media", "wanted"),
    [
        (
            {"media_type": "image/png", "data": "aGk=", "text": "seen"},
            [
                {"type": "text", "text": "seen"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            ],
        ),
        (
            {"media_type": "image/webp", "data": "aGk=", "text": " "},
            [{"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "aGk="}}],
        ),
        (
            {"media_type": "audio/wav", "data": "aGk=", "text": ""},
            "[a file of type audio/wav that cannot be shown]",
        ),
    ],
)
def test_a_result_that_is_no_text_is_shown_or_named(media: Any, wanted: list[dict[str, Any]]) -> None:
    body = sent(
        request(
            user("q"), PromptMessage("assistant", [call("1")]), result("1", media, is_media=True), user("a")
        )
    )
    assert content(body, 2)[0]["content"] == wanted


def test_the_cache_point_of_a_message_is_never_on_thinking() -> None:
    thinking = {"type": "reasoning", "text": "Hm.", "provider_metadata": {"anthropic": {"signature": "s"}}}
    said = {"type": "text", "text": "so"}
    body = sent(
        request(
            user("a"),
            PromptMessage("assistant", [said, thinking]),
            user("b"),
            PromptMessage("assistant", [thinking]),
        )
    )
    marked = [
        [block["type"] for block in message["content"] if "cache_control" in block]
        for message in body["messages"]
    ]
    assert marked == [[], [], ["text"], []]


@pytest.mark.parametrize(("output", "budget", "max_tokens"), [(8000, 2000, 8000), (2000, 2000, 4000)])
def test_the_answer_has_room_beside_the_thinking(output: int, budget: int, max_tokens: int) -> None:
    body = sent(request(user("a"), model=OLDER, max_output_tokens=output, thinking_budget_tokens=budget))
    assert body["max_tokens"] == max_tokens
    assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}


def test_a_budget_is_never_below_what_the_vendor_accepts() -> None:
    body = sent(request(user("a"), model=OLDER, thinking_budget_tokens=10))
    assert body["thinking"]["budget_tokens"] == 1024
    assert body["max_tokens"] == 1124


def test_what_has_no_wire_form_is_refused() -> None:
    for message in (PromptMessage("user", [{"type": "hologram"}]), PromptMessage("oracle", [])):
        with pytest.raises(ValueError, match="no wire form"):
            sent(request(message))


@pytest.mark.parametrize(
    ("start", "end", "head"),
    [(0, 0, "[file: f]"), (7, 7, "[file: f, line 7]"), (7, 9, "[file: f, lines 7-9]")],
)
def test_a_file_reference_names_its_lines(start: int, end: int, head: str) -> None:
    part = {"type": "file-reference", "file_name": "f", "start_line": start, "end_line": end}
    body = sent(request(PromptMessage("user", [part])))
    assert content(body, 0) == [{"type": "text", "text": head}]
