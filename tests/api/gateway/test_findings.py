"""What is read along the way, of the forms in which each vendor answers."""

import json
from typing import Any

import pytest

from api.gateway.findings import MAX_TOOL_CALLS, findings_of
from api.gateway.tap import MAX_BYTES, Tap
from api.gateway.wires import CHAT_COMPLETIONS, MESSAGES, RESPONSES, Endpoint
from models.store.gateway_calls import ToolUse
from models.usage import Usage

Event = dict[str, Any]


def sse(*events: Event | str, named: bool = True) -> bytes:
    pieces: list[str] = []
    for event in events:
        name = f"event: {event['type']}\n" if named and isinstance(event, dict) and "type" in event else ""
        data = event if isinstance(event, str) else json.dumps(event)
        pieces.append(f"{name}data: {data}\n\n")
    return "".join(pieces).encode()


def tapped(
    endpoint: Endpoint, answer: bytes, content_type: str = "text/event-stream", *, most_bytes: int = MAX_BYTES
) -> Tap:
    tap = Tap(findings_of(endpoint), most_bytes)
    tap.begin(content_type=content_type, encoding="")
    for begin in range(0, len(answer), 7):
        tap.feed(answer[begin : begin + 7])
    tap.end()
    return tap


MESSAGE: list[Event] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "usage": {"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 5},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "tool_use"}},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t1", "name": "look"},
    },
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "server_tool_use", "id": "t2", "name": "web_search"},
    },
    {
        "type": "message_delta",
        "usage": {
            "output_tokens": 30,
            "cache_creation_input_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 9},
        },
    },
    {"type": "message_stop"},
]


def test_a_stream_of_messages_tells_usage_and_tools():
    found = tapped(MESSAGES, sse(*MESSAGE)).findings
    assert found.usage == Usage(10, 30, 9, 7, 5)
    assert found.tool_calls == (ToolUse("t1", "look", False), ToolUse("t2", "web_search", True))
    assert (found.response_id, found.whole, found.failed) == ("msg_1", True, False)


def test_half_a_stream_of_messages_tells_what_has_passed():
    found = tapped(MESSAGES, sse(*MESSAGE[:4])).findings
    assert found.usage == Usage(10, 1, 0, 0, 5)
    assert [tool.id for tool in found.tool_calls] == ["t1"]
    assert (found.whole, found.failed) == (False, False)


def test_an_error_within_a_stream_of_messages_is_noticed():
    found = tapped(
        MESSAGES, sse(MESSAGE[0], {"type": "error", "error": {"type": "overloaded_error"}})
    ).findings
    assert (found.whole, found.failed) == (False, True)


def test_an_event_that_is_no_json_takes_the_others_nothing_away():
    broken = b"event: content_block_start\ndata: {\n\n"
    tap = tapped(MESSAGES, sse(*MESSAGE[:3]) + broken + sse(*MESSAGE[3:]))
    assert not tap.broken
    assert tap.findings.usage == Usage(10, 30, 9, 7, 5)


def test_a_message_in_one_piece_tells_the_same():
    message: Event = {
        "id": "msg_1",
        "usage": {"input_tokens": 10, "output_tokens": 30},
        "content": [
            {"type": "text", "text": "x"},
            {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
        ],
    }
    found = tapped(MESSAGES, json.dumps(message).encode(), "application/json").findings
    assert (found.usage, found.whole) == (Usage(10, 30), True)
    assert found.tool_calls == (ToolUse("t1", "look", False),)


RESPONSE: Event = {
    "id": "resp_1",
    "status": "completed",
    "output": [
        {"type": "reasoning", "id": "rs_1"},
        {"type": "web_search_call", "id": "ws_1"},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look"},
        {"type": "mcp_call", "id": "mcp_1", "name": "read_wiki"},
    ],
    "usage": {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 15},
        "output_tokens": 8,
        "output_tokens_details": {"reasoning_tokens": 3},
    },
}
ASKED = (
    ToolUse("ws_1", "web_search", True),
    ToolUse("call_1", "look", False),
    ToolUse("mcp_1", "read_wiki", True),
)


def responses_stream(end: str = "completed", **more: Any) -> list[Event]:
    return [
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "usage": None}},
        *({"type": "response.output_item.added", "item": item} for item in RESPONSE["output"]),
        {"type": "response.output_text.delta", "delta": "hello"},
        {"type": f"response.{end}", "response": {**RESPONSE, "status": end, **more}},
    ]


@pytest.mark.parametrize("named", [True, False])
def test_a_stream_of_responses_tells_usage_and_tools_each_once(named: bool):
    found = tapped(RESPONSES, sse(*responses_stream(), named=named)).findings
    assert found.usage == Usage(5, 8, 3, 0, 15)
    assert found.tool_calls == ASKED
    assert (found.response_id, found.whole, found.failed) == ("resp_1", True, False)


def test_an_incomplete_response_is_whole_and_a_failed_one_is_not():
    assert tapped(RESPONSES, sse(*responses_stream("incomplete"))).findings.whole
    found = tapped(RESPONSES, sse(*responses_stream("failed", usage=None))).findings
    assert (found.whole, found.failed, found.usage) == (False, True, None)


def test_a_response_in_one_piece_tells_the_same():
    found = tapped(RESPONSES, json.dumps(RESPONSE).encode(), "application/json").findings
    assert (found.usage, found.tool_calls, found.whole) == (Usage(5, 8, 3, 0, 15), ASKED, True)


def chunks(*usage: Event | None) -> list[Event | str]:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}
    more = {"index": 0, "function": {"arguments": "{}"}}
    return [
        {"id": "cmpl_1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
        {"id": "cmpl_1", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]},
        {"id": "cmpl_1", "choices": [{"index": 0, "delta": {"tool_calls": [more]}}]},
        {"id": "cmpl_1", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        *({"id": "cmpl_1", "choices": [], "usage": one} for one in usage),
        "[DONE]",
    ]


def test_a_stream_of_completions_tells_usage_to_who_has_asked_for_it():
    found = tapped(CHAT_COMPLETIONS, sse(*chunks({"prompt_tokens": 4, "completion_tokens": 6}))).findings
    assert (found.usage, found.whole, found.response_id) == (Usage(4, 6), True, "cmpl_1")
    assert found.tool_calls == (ToolUse("call_1", "look", False),)


def test_a_stream_of_completions_without_usage_leaves_it_unknown():
    found = tapped(CHAT_COMPLETIONS, sse(*chunks(None))).findings
    assert (found.usage, found.whole) == (None, True)


def test_a_completion_in_one_piece_tells_the_same():
    call = {"id": "call_1", "function": {"name": "look", "arguments": "{}"}}
    completion = {
        "id": "cmpl_1",
        "choices": [{"message": {"tool_calls": [call]}}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 6},
    }
    found = tapped(CHAT_COMPLETIONS, json.dumps(completion).encode(), "application/json").findings
    assert (found.usage, found.tool_calls) == (Usage(4, 6), (ToolUse("call_1", "look", False),))


def test_names_that_a_model_made_up_are_fit_to_be_stored():
    block = {"type": "tool_use", "id": "t\u0000" + "x" * 500, "name": "a\nb\ud83d"}
    found = tapped(MESSAGES, sse({"type": "content_block_start", "content_block": block})).findings
    assert found.tool_calls == ()  # half a surrogate pair is no JSON
    block["name"] = "a\nb\u00e9"
    found = tapped(MESSAGES, sse({"type": "content_block_start", "content_block": block})).findings
    assert found.tool_calls == (ToolUse("t_" + "x" * 126, "a_b_", False),)


def test_tools_are_noted_up_to_a_number():
    many: list[Event] = [
        {"type": "content_block_start", "content_block": {"type": "tool_use", "id": f"t{n}", "name": "look"}}
        for n in range(MAX_TOOL_CALLS + 5)
    ]
    assert len(tapped(MESSAGES, sse(*many)).findings.tool_calls) == MAX_TOOL_CALLS


ODD: list[Event] = [
    {"type": "message_start", "message": []},
    {"type": "message_start", "message": {"usage": {"output_tokens_details": 3}}},
    {"type": "response.created", "response": 3},
    {"type": "response.completed", "response": {"output": 3, "usage": []}},
    {"choices": {"a": 1}, "usage": 3},
    {"choices": [3, {"delta": {"tool_calls": [3, {"id": 3, "function": {"name": []}}]}}]},
]


@pytest.mark.parametrize("endpoint", [MESSAGES, RESPONSES, CHAT_COMPLETIONS])
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_disturbs_nobody(endpoint: Endpoint, odd: Event):
    for answer, content_type in (
        (sse(odd), "text/event-stream"),
        (json.dumps(odd).encode(), "application/json"),
    ):
        found = tapped(endpoint, answer, content_type).findings
        assert found.tool_calls == ()


def test_what_is_too_large_or_compressed_is_not_read():
    assert tapped(MESSAGES, sse(*MESSAGE), most_bytes=50).broken
    assert tapped(MESSAGES, b"{" + b" " * 100 + b"}", "application/json", most_bytes=50).broken
    compressed = Tap(findings_of(MESSAGES))
    compressed.begin(content_type="text/event-stream", encoding="gzip")
    assert compressed.broken
