"""What is shown of an answer while it is written, and what is kept of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from activities.answer import AnswerBuilder, merge, shown_as
from activities.providers.protocol import (
    BlockEnd,
    BlockMetadata,
    Finish,
    FinishReason,
    ModelEvent,
    OpaqueBlock,
    ProviderResult,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from models.chat_state import ToolCallRef
from models.parts import PARTS, public_parts

SIGNED = {"anthropic": {"signature": "sig+/="}}
FINISH = Finish(FinishReason.TOOL_CALLS, Usage(), "msg_1")


class Clock:
    """Ticks once a second, whenever it is read."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def second(number: int) -> str:
    return f"2026-01-01T00:00:{number:02d}Z"


def build(*events: ModelEvent) -> tuple[AnswerBuilder, list[dict[str, Any] | None]]:
    builder = AnswerBuilder(Clock())
    return builder, [builder.add(event) for event in events]


def test_a_whole_answer_as_it_is_shown_and_as_it_is_kept() -> None:
    builder, shown = build(
        ReasoningDelta(0, "Let me "),
        ReasoningDelta(0, "think."),
        BlockMetadata(0, SIGNED),
        BlockEnd(0),
        TextDelta(1, "I will "),
        TextDelta(1, "look."),
        BlockEnd(1),
        ToolCallStart(2, "toolu_1", "look"),
        ToolCallDelta(2, '{"at": '),
        ToolCallDelta(2, "null}"),
        BlockEnd(2),
        FINISH,
    )
    delta = {"type": "tool-call", "tool_call_id": "toolu_1", "tool_name": "look"}
    call = {**delta, "args": {"at": None}, "created_at": second(4)}
    assert shown == [
        {"type": "reasoning", "text": "Let me "},
        {"type": "reasoning", "text": "think."},
        None,
        None,
        {"type": "text", "text": "I will "},
        {"type": "text", "text": "look."},
        None,
        {**delta, "args_delta": ""},
        {**delta, "args_delta": '{"at": '},
        {**delta, "args_delta": "null}"},
        call,
        None,
    ]
    kept = builder.finished()
    assert kept.parts == [
        {
            "type": "reasoning",
            "text": "Let me think.",
            "created_at": second(1),
            "completed_at": second(2),
            "provider_metadata": SIGNED,
        },
        {"type": "text", "text": "I will look."},
        call,
    ]
    assert kept.calls == [ToolCallRef(id="toolu_1", name="look")]
    assert builder.finish is FINISH
    PARTS.validate_python(kept.parts)


def test_blocks_are_kept_in_the_order_they_were_opened_even_when_they_interleave() -> None:
    builder, _ = build(
        ToolCallStart(1, "a", "look"),
        TextDelta(2, "x"),
        ToolCallStart(3, "b", "look"),
        ToolCallDelta(1, "{}"),
        TextDelta(0, "first"),
        TextDelta(2, "y"),
        FINISH,
    )
    kept = builder.finished()
    assert [part.get("text") or part["tool_call_id"] for part in kept.parts] == ["first", "a", "xy", "b"]
    assert [call.id for call in kept.calls] == ["a", "b"]


def test_blank_blocks_are_dropped_but_signed_reasoning_stays() -> None:
    builder, _ = build(
        TextDelta(0, " \n"),
        ReasoningDelta(1, " "),
        ReasoningDelta(2, ""),
        BlockMetadata(2, SIGNED),
        TextDelta(3, "a"),
        FINISH,
    )
    assert [(part["type"], part["text"]) for part in builder.finished().parts] == [
        ("reasoning", ""),
        ("text", "a"),
    ]


def nested(levels: int) -> JsonValue:
    value: list[JsonValue] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("written", "args"),
    [
        ("", {}),
        ('{"a": 1}', {"a": 1}),
        ('{"a": ', '{"a": '),
        ("[1]", [1]),
        ('"\\ud83d"', "\ufffd"),
        ('{"a": NaN}', '{"a": NaN}'),
        ("[" * 100 + "]" * 100, nested(100)),
        ("[" * 101 + "]" * 101, "[" * 101 + "]" * 101),
        ("[" * 253 + "]" * 253, "[" * 253 + "]" * 253),
    ],
)
def test_arguments_of_a_whole_call(written: str, args: JsonValue) -> None:
    builder, shown = build(ToolCallStart(0, "a", "look"), ToolCallDelta(0, written), BlockEnd(0))
    assert shown[-1]
    assert shown[-1]["args"] == args
    assert builder.finished().parts[0]["args"] == args


def test_a_call_of_the_shell_tool_says_what_it_runs() -> None:
    written = '{"command": "cd src && make test"}'
    builder, shown = build(ToolCallStart(0, "a", "execute"), ToolCallDelta(0, written), BlockEnd(0))
    assert shown[-1] is not None
    assert shown[-1]["parsed_commands"] == [["cd", "src"], ["make", "test"]]
    (kept,) = builder.finished().parts
    assert public_parts([kept]) == [shown[-1]]


def test_calls_are_run_only_when_the_model_waits_for_them() -> None:
    builder, _ = build(ToolCallStart(0, "a", "look"), BlockEnd(0), Finish(FinishReason.LENGTH, Usage()))
    assert builder.calls_to_run(FinishReason.TOOL_CALLS) == [ToolCallRef(id="a", name="look")]
    for reason in (FinishReason.STOP, FinishReason.LENGTH, FinishReason.CONTENT_FILTER, FinishReason.UNKNOWN):
        assert builder.calls_to_run(reason) == []
    assert len(builder.finished().parts) == 1


def test_an_interrupted_answer_keeps_what_there_was() -> None:
    builder, _ = build(
        ReasoningDelta(0, "whole"),
        BlockMetadata(0, SIGNED),
        BlockEnd(0),
        ToolCallStart(1, "a", "look"),
        ToolCallDelta(1, '{"at": 1}'),
        BlockEnd(1),
        ToolCallStart(2, "b", "look"),
        ToolCallDelta(2, '{"at": 1}'),
        ToolCallStart(3, "c", "look"),
        ToolCallDelta(3, '{"at": '),
        ReasoningDelta(4, "half a thou"),
        TextDelta(5, "half a sen"),
        TextDelta(6, "  "),
    )
    kept = builder.partial(datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC))
    call = {"type": "tool-call", "tool_name": "look"}
    assert kept.parts == [
        {
            "type": "reasoning",
            "text": "whole",
            "created_at": second(1),
            "completed_at": second(2),
            "provider_metadata": SIGNED,
        },
        {**call, "tool_call_id": "a", "args": {"at": 1}, "created_at": second(3)},
        {**call, "tool_call_id": "b", "args": {"at": 1}},
        {**call, "tool_call_id": "c"},
        {"type": "reasoning", "text": "half a thou", "created_at": second(4), "completed_at": second(30)},
        {"type": "text", "text": "half a sen"},
    ]
    assert [ref.id for ref in kept.calls] == ["a", "b", "c"]
    PARTS.validate_python(kept.parts)


def test_half_written_arguments_that_happen_to_be_json_are_not_believed() -> None:
    builder, _ = build(ToolCallStart(0, "a", "look"), ToolCallDelta(0, "12"))
    assert "args" not in builder.partial(datetime.now(UTC)).parts[0]


def test_nothing_written_keeps_nothing() -> None:
    kept = AnswerBuilder(Clock()).partial(datetime.now(UTC))
    assert (kept.parts, kept.calls) == ([], [])


def test_an_event_for_a_block_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="block 0"):
        build(TextDelta(0, "a"), ReasoningDelta(0, "b"))
    with pytest.raises(ValueError, match="block 0"):
        build(ToolCallDelta(0, "{}"))


def delta(call_id: str, json_text: str) -> dict[str, Any]:
    return {"type": "tool-call", "tool_call_id": call_id, "tool_name": "look", "args_delta": json_text}


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        ({"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "text", "text": "ab"}),
        (
            {"type": "reasoning", "text": "a"},
            {"type": "reasoning", "text": "b"},
            {"type": "reasoning", "text": "ab"},
        ),
        ({"type": "text", "text": "a"}, {"type": "reasoning", "text": "b"}, None),
        (delta("1", ""), delta("1", "{"), delta("1", "{")),
        (delta("1", "{"), delta("2", "{"), None),
        (delta("1", "{"), {"type": "tool-call", "tool_call_id": "1", "tool_name": "look", "args": {}}, None),
        ({"type": "tool-result", "result": "a"}, {"type": "tool-result", "result": "b"}, None),
    ],
)
def test_parts_that_continue_each_other_become_one(
    first: dict[str, Any], second: dict[str, Any], merged: dict[str, Any] | None
) -> None:
    assert merge(first, second) == merged


HIT = {"url": "https://a.example", "title": "A"}
ENCRYPTED = {
    "anthropic": {"block": {"type": "web_search_tool_result", "content": [{"encrypted_content": "x"}]}}
}


def search(call_id: str = "srv_1") -> list[ModelEvent]:
    return [
        ToolCallStart(0, call_id, "web_search", provider_executed=True),
        ToolCallDelta(0, '{"query": "a"}'),
        BlockMetadata(0, {"anthropic": {"block": {"type": "server_tool_use"}}}),
        BlockEnd(0),
        ProviderResult(1, call_id, "web_search", [HIT], metadata=ENCRYPTED),
        Source(1, HIT["url"], HIT["title"]),
        BlockEnd(1),
    ]


def test_what_the_vendor_ran_is_kept_in_place_and_nobody_is_shown_what_is_the_vendors() -> None:
    builder, shown = build(
        *search(),
        TextDelta(2, "It is A."),
        BlockMetadata(2, {"anthropic": {"citations": [{"url": HIT["url"]}]}}),
        Source(2, HIT["url"]),
        Finish(FinishReason.STOP, Usage()),
    )
    call = {
        "type": "tool-call",
        "tool_call_id": "srv_1",
        "tool_name": "web_search",
        "provider_executed": True,
    }
    whole = {**call, "args": {"query": "a"}, "created_at": second(1)}
    result = {**call, "type": "tool-result", "result": [HIT], "created_at": second(2)}
    source = {"type": "source", **HIT}
    assert [part for part in shown if part] == [
        {**call, "args_delta": ""},
        {**call, "args_delta": '{"query": "a"}'},
        whole,
        result,
        source,
        {"type": "text", "text": "It is A."},
    ]
    kept = builder.finished()
    assert kept.parts == [
        {**whole, "provider_metadata": {"anthropic": {"block": {"type": "server_tool_use"}}}},
        {**result, "provider_metadata": ENCRYPTED},
        source,
        {
            "type": "text",
            "text": "It is A.",
            "provider_metadata": {"anthropic": {"citations": [{"url": HIT["url"]}]}},
        },
    ]
    assert kept.calls == []
    assert builder.calls_to_run(FinishReason.TOOL_CALLS) == []
    PARTS.validate_python(kept.parts)


def test_parts_are_shown_under_the_role_of_who_speaks() -> None:
    assert shown_as({"type": "tool-result"}) == "tool"
    assert [shown_as({"type": kind}) for kind in ("text", "tool-call", "source")] == ["assistant"] * 3


def test_an_unknown_block_is_kept_whole_and_shown_to_nobody() -> None:
    metadata = {"anthropic": {"block": {"type": "hologram", "data": "…"}}}
    builder, shown = build(OpaqueBlock(0, metadata), BlockEnd(0), FINISH)
    assert shown == [None, None, None]
    assert builder.finished().parts == [{"type": "opaque", "provider_metadata": metadata}]
    assert builder.has_output()
    PARTS.validate_python(builder.finished().parts)
    assert public_parts(builder.finished().parts) == []


def test_a_search_that_an_interruption_cut_short_is_left_out() -> None:
    call, *_ = search()
    builder, _ = build(TextDelta(2, "so"), call)
    kept = builder.partial(datetime.now(UTC))
    assert [part["type"] for part in kept.parts] == ["text"]
    assert kept.calls == []
    builder, _ = build(*search())
    assert [p["type"] for p in builder.partial(datetime.now(UTC)).parts] == [
        "tool-call",
        "tool-result",
        "source",
    ]


def test_metadata_that_says_nothing_takes_no_signature_away() -> None:
    builder, _ = build(
        ReasoningDelta(0, "Hm."),
        BlockMetadata(0, SIGNED),
        BlockMetadata(0, {"anthropic": {"signature": ""}, "openai": {"id": "rs_1"}}),
        FINISH,
    )
    assert builder.finished().parts[0]["provider_metadata"] == {**SIGNED, "openai": {"id": "rs_1"}}


def test_metadata_of_a_block_that_was_never_opened_is_refused() -> None:
    with pytest.raises(ValueError, match="block 3"):
        build(BlockMetadata(3, SIGNED))


def test_calls_that_share_an_id_are_told_apart() -> None:
    builder, shown = build(ToolCallStart(0, "a", "look"), ToolCallStart(1, "a", "look"), FINISH)
    assert [ref.id for ref in builder.finished().calls] == ["a", "a_2"]
    assert shown[1]
    assert shown[1]["tool_call_id"] == "a_2"
