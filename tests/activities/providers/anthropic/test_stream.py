"""One answer, event by event, including what no server we have would send."""

import json
from typing import Any

import pytest

from activities.providers.anthropic.reading import MessageReader
from activities.providers.protocol import (
    BlockEnd,
    BlockMetadata,
    Finish,
    FinishReason,
    ModelCallError,
    ModelEvent,
    OpaqueBlock,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from activities.providers.transport import UnreadableStream
from models.failures import FailureKind


def read(*events: dict[str, Any] | str) -> list[ModelEvent]:
    reader = MessageReader("anthropic", "anthropic")
    return [
        event for data in events for event in reader.read(data if isinstance(data, str) else json.dumps(data))
    ]


def start(index: int, block_type: str, **fields: Any) -> dict[str, Any]:
    block = {"type": block_type, **fields}
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, delta_type: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": delta_type, **fields}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def test_thinking_with_its_signature() -> None:
    assert read(
        start(0, "thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="Hm"),
        delta(0, "signature_delta", signature="sig"),
        delta(0, "signature_delta", signature=""),
        stop(0),
    ) == [
        ReasoningDelta(0, ""),
        ReasoningDelta(0, "Hm"),
        BlockMetadata(0, {"anthropic": {"signature": "sig"}}),
        BlockEnd(0),
    ]


def test_redacted_thinking_is_kept() -> None:
    assert read(start(0, "redacted_thinking", data="enc"), stop(0)) == [
        ReasoningDelta(0, ""),
        BlockMetadata(0, {"anthropic": {"redacted_data": "enc"}}),
        BlockEnd(0),
    ]


def test_tool_input_is_passed_on_as_text_even_when_it_is_not_json() -> None:
    assert read(
        start(1, "tool_use", id="toolu_1", name="look", input={}),
        delta(1, "input_json_delta", partial_json=""),
        delta(1, "input_json_delta", partial_json='{"a": '),
        delta(1, "input_json_delta", partial_json="oops"),
        stop(1),
    ) == [
        ToolCallStart(1, "toolu_1", "look"),
        ToolCallDelta(1, '{"a": '),
        ToolCallDelta(1, "oops"),
        BlockEnd(1),
    ]


def test_input_that_is_whole_from_the_start_counts_unless_deltas_follow() -> None:
    whole = start(0, "tool_use", id="t", name="look", input={"a": 1})
    assert read(whole, stop(0))[1] == ToolCallDelta(0, '{"a":1}')
    written = read(whole, delta(0, "input_json_delta", partial_json='{"a":2}'), stop(0))
    assert written[1:] == [ToolCallDelta(0, '{"a":2}'), BlockEnd(0)]


def test_a_call_without_an_id_gets_one() -> None:
    message = {"type": "message_start", "message": {"id": "msg_1"}}
    assert read(message, start(2, "tool_use", name="look")) == [ToolCallStart(2, "msg_1_2", "look")]


def test_types_that_a_newer_api_adds_pass_unharmed() -> None:
    assert read(
        {"type": "weather_report"},
        start(0, "hologram", text="?"),
        delta(0, "text_delta", text="?"),
        stop(0),
        start(1, "text", text="a"),
        delta(1, "citations_delta", citation={}),
        delta(1, "text_delta", text="b"),
        stop(1),
    ) == [
        OpaqueBlock(0, {"anthropic": {"block": {"type": "hologram", "text": "??"}}}),
        BlockEnd(0),
        TextDelta(1, "a"),
        BlockMetadata(1, {"anthropic": {"citations": [{}]}}),
        TextDelta(1, "b"),
        BlockEnd(1),
    ]


def test_the_last_usage_counts() -> None:
    first = {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 4}
    last = {"output_tokens": 9, "input_tokens": None, "output_tokens_details": {"thinking_tokens": 6}}
    assert read(
        {"type": "message_start", "message": {"id": "msg_1", "usage": first}},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": last},
        {"type": "message_stop"},
    ) == [Finish(FinishReason.LENGTH, Usage(5, 9, 6, 0, 4), "msg_1")]


@pytest.mark.parametrize(
    ("stop_reason", "reason"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("refusal", FinishReason.CONTENT_FILTER),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("pause_turn", FinishReason.PAUSE),
        ("whatever", FinishReason.UNKNOWN),
        (None, FinishReason.UNKNOWN),
    ],
)
def test_reasons_to_stop(stop_reason: str | None, reason: FinishReason) -> None:
    (finish,) = read(
        {"type": "message_delta", "delta": {"stop_reason": stop_reason}}, {"type": "message_stop"}
    )
    assert finish == Finish(reason, Usage())


@pytest.mark.parametrize(
    "broken",
    [
        "{this is not JSON",
        "[]",
        "3",
        '{"no": "type"}',
        '{"type": "content_block_start", "index": 0, "content_block": null}',
        '{"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use"}}',
    ],
)
def test_what_is_not_the_protocol_is_unreadable(broken: str) -> None:
    with pytest.raises(UnreadableStream):
        read(broken)


def test_a_delta_that_does_not_fit_its_block_is_unreadable() -> None:
    with pytest.raises(UnreadableStream):
        read(start(0, "text", text=""), delta(0, "input_json_delta", partial_json="{}"))
    with pytest.raises(UnreadableStream):
        read(start(0, "text", text=""), start(0, "thinking"))


def test_an_error_event_ends_the_answer() -> None:
    with pytest.raises(ModelCallError) as raised:
        read({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    assert raised.value.failure.kind is FailureKind.OVERLOADED


def test_halves_of_surrogate_pairs_become_replacement_characters() -> None:
    events = read(start(0, "text", text=""), delta(0, "text_delta", text="a\ud83d"))
    assert events[-1] == TextDelta(0, "a\ufffd")
