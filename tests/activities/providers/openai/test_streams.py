"""Streams as vendors send them, also where they differ from what they document."""

import json
import logging
from collections.abc import Iterable
from typing import Any

import pytest

from activities.answer import AnswerBuilder
from activities.providers.openai import PROFILES
from activities.providers.openai.chat.stream import ChunkReader
from activities.providers.openai.frames import EventReader
from activities.providers.openai.responses.stream import ResponseReader
from activities.providers.protocol import Finish, FinishReason, ModelCallError, ModelEvent
from activities.providers.transport import UnreadableStream
from models.failures import FailureKind
from models.usage import Usage

from .conftest import NOON

Event = dict[str, Any]


def responses() -> ResponseReader:
    return ResponseReader("openai", "openai", stored=True)


def chat(server: str = "openai-compat") -> ChunkReader:
    return ChunkReader("x", PROFILES[server])


def read(reader: EventReader, events: Iterable[Event | str]) -> list[ModelEvent]:
    texts = (event if isinstance(event, str) else json.dumps(event) for event in events)
    return [neutral for text in texts for neutral in reader.read(text)]


def built(reader: EventReader, events: Iterable[Event | str]) -> tuple[list[Event], Finish]:
    builder = AnswerBuilder(lambda: NOON)
    for event in read(reader, events):
        builder.add(event)
    assert builder.finish
    assert reader.done
    return builder.finished().parts, builder.finish


def delta(reason: str | None = None, **fields: Any) -> Event:
    return {"id": "c", "choices": [{"index": 0, "delta": fields, "finish_reason": reason}]}


def call(index: int | None = 0, **fields: Any) -> Event:
    return delta(tool_calls=[{"index": index, **fields} if index is not None else fields])


def completed(*output: Event, **fields: Any) -> Event:
    return {"type": "response.completed", "response": {"id": "r", "output": output, **fields}}


def args_of(parts: list[Event]) -> list[Any]:
    return [part["args"] for part in parts if part["type"] == "tool-call"]


def text_of(parts: list[Event]) -> str:
    return "".join(part["text"] for part in parts if part["type"] == "text")


ITEM: Event = {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": '{"x": 1}'}
SAID: Event = {
    "type": "message",
    "id": "msg_1",
    "content": [{"type": "output_text", "text": "hi", "annotations": []}],
}


def test_an_answer_told_only_at_the_end_is_read() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
    parts, finish = built(responses(), [completed(thought, SAID, ITEM)])
    assert [part["type"] for part in parts] == ["reasoning", "text", "tool-call"]
    assert (parts[0]["text"], text_of(parts), args_of(parts)) == ("hm", "hi", [{"x": 1}])
    assert finish.reason is FinishReason.TOOL_CALLS


def test_what_is_told_twice_is_taken_once() -> None:
    done: Event = {"type": "response.output_item.done", "output_index": 0, "item": SAID}
    pieces = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "hi"}
    parts, _ = built(responses(), [pieces, done, done, completed(SAID), "[DONE]"])
    assert text_of(parts) == "hi"


def test_arguments_in_one_piece_after_none_before() -> None:
    added = {"type": "response.output_item.added", "output_index": 2, "item": {**ITEM, "arguments": ""}}
    empty = {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": ""}
    done: Event = {"type": "response.output_item.done", "output_index": 2, "item": ITEM}
    parts, _ = built(responses(), [added, empty, done, completed(ITEM)])
    assert args_of(parts) == [{"x": 1}]


def test_arguments_of_a_call_that_was_announced_late_or_told_again_are_taken_whole_and_once() -> None:
    pieces: list[Event] = [
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": text}
        for text in ('{"x"', ": 1}")
    ]
    added = {"type": "response.output_item.added", "output_index": 0, "item": {**ITEM, "arguments": ""}}
    done = {"type": "response.output_item.done", "output_index": 0, "item": ITEM}
    for events in ([*pieces, done], [pieces[0], added, pieces[1], done], [added, *pieces, done, *pieces]):
        parts, finish = built(responses(), [*events, completed(ITEM)])
        assert args_of(parts) == [{"x": 1}]
        assert finish.reason is FinishReason.TOOL_CALLS


def test_paragraphs_of_a_summary_are_set_apart() -> None:
    pieces = [
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": i, "delta": t}
        for i, t in ((0, "One"), (0, "."), (1, "Two."))
    ]
    parts, _ = built(responses(), [*pieces, completed()])
    assert parts[0]["text"] == "One.\n\nTwo."


def test_an_item_of_an_unknown_type_is_kept_whole() -> None:
    item = {"type": "hologram", "id": "h_1", "light": [1, 2]}
    parts, _ = built(responses(), [{"type": "response.new_event"}, completed(item, SAID)])
    assert parts[0] == {"type": "opaque", "provider_metadata": {"openai": {"block": item}}}
    assert text_of(parts) == "hi"


def test_the_caller_of_a_call_is_kept() -> None:
    caller = {"type": "program", "caller_id": "p_1"}
    parts, _ = built(responses(), [completed({**ITEM, "caller": caller})])
    assert parts[0]["provider_metadata"]["openai"]["caller"] == caller


def test_a_failed_tool_of_the_vendor_says_so() -> None:
    failed = {
        "type": "mcp_call",
        "id": "mcp_1",
        "server_label": "s",
        "name": "n",
        "arguments": "{",
        "error": "no",
    }
    parts, _ = built(responses(), [completed(failed)])
    assert parts[0]["args"] == {"server_label": "s", "name": "n", "arguments": "{"}
    assert (parts[1]["is_error"], parts[1]["result"]) == (True, {"error": "no"})


def test_a_cut_answer_of_an_unknown_reason_has_no_known_reason() -> None:
    details = {"status": "incomplete", "incomplete_details": {"reason": "steered"}}
    event = completed(SAID, **details) | {"type": "response.incomplete"}
    assert built(responses(), [event])[1].reason is FinishReason.UNKNOWN


def test_the_final_usage_replaces_the_first() -> None:
    first = delta(content="a") | {"usage": {"prompt_tokens": 5, "completion_tokens": 1}}
    last: Event = {
        "choices": [],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 3},
    }
    _, finish = built(chat(), [first, delta("stop"), last, "[DONE]"])
    assert finish.usage == Usage(6, 4, 0, 0, 3)


USAGES: list[tuple[Event, Usage]] = [
    ({}, Usage()),
    ({"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": None}, Usage(5)),
    (
        {"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13,
         "completion_tokens_details": {"reasoning_tokens": 6}},
        Usage(5, 8, 6),
    ),
    (
        {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 13,
         "completion_tokens_details": {"reasoning_tokens": 6}},
        Usage(5, 8, 6),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("told", "counted"), USAGES)
def test_usage_is_counted_alike_whether_reasoning_is_in_it_or_beside_it(told: Event, counted: Usage) -> None:
    _, finish = built(chat(), [delta("stop", content="a"), {"choices": [], "usage": told}, "[DONE]"])
    assert finish.usage == counted


def test_calls_that_all_have_the_same_number_are_told_apart_by_their_ids() -> None:
    one = {"id": "a", "function": {"name": "f", "arguments": '{"x":1}'}}
    two = {"id": "b", "function": {"name": "g", "arguments": {"y": 2}}}
    parts, finish = built(chat(), [call(0, **one), call(0, **two), delta("stop"), "[DONE]"])
    assert args_of(parts) == [{"x": 1}, {"y": 2}]
    assert finish.reason is FinishReason.TOOL_CALLS, "many servers say `stop` where they wait for calls"


def test_an_id_repeated_in_every_piece_is_one_call() -> None:
    pieces = ['{"x"', ":1", "}"]
    events = [call(0, id="a", function={"name": "f", "arguments": piece}) for piece in pieces]
    parts, _ = built(chat(), [*events, delta("tool_calls"), "[DONE]"])
    assert args_of(parts) == [{"x": 1}]


def test_calls_without_number_or_id_get_both() -> None:
    both = delta(tool_calls=[{"function": {"name": n, "arguments": "{}"}} for n in ("f", "g")])
    parts, _ = built(chat(), [both, delta("tool_calls"), "[DONE]"])
    ids = [part["tool_call_id"] for part in parts]
    assert len(set(ids)) == 2
    assert all(ids)


def test_a_call_begins_when_its_name_is_known() -> None:
    early = call(0, id="a", function={"arguments": '{"x"'}, extra_content={"signed": 1})
    late = call(0, function={"name": "f", "arguments": ": 1}"})
    parts, _ = built(chat(), [early, late, delta("tool_calls"), "[DONE]"])
    assert (parts[0]["tool_name"], parts[0]["args"]) == ("f", {"x": 1})
    assert parts[0]["provider_metadata"]["x"] == {"extra_content": {"signed": 1}}


def test_thought_signatures_of_calls_are_kept() -> None:
    extra = {"google": {"thought_signature": "s"}}
    event = call(0, id="a", function={"name": "f", "arguments": "{}"}, extra_content=extra)
    parts, _ = built(chat("google"), [event, delta("stop"), "[DONE]"])
    assert parts[0]["provider_metadata"] == {"x": {"extra_content": extra}}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_and_text_that_take_turns_are_blocks_in_order(field: str) -> None:
    events = [delta(**{field: "a"}), delta(**{field: "b"}), delta(content="c"), delta(**{field: "d"})]
    parts, _ = built(chat(), [*events, delta("stop", content="e"), "[DONE]"])
    assert [(part["type"], part["text"]) for part in parts] == [
        ("reasoning", "ab"), ("text", "c"), ("reasoning", "d"), ("text", "e"),
    ]  # fmt: skip


def test_a_proof_of_reasoning_may_come_behind_what_it_led_to() -> None:
    thought = {"type": "reasoning.encrypted", "data": "secret", "id": "r", "index": 0}
    events = [delta(reasoning="a"), delta(content="b"), delta(reasoning_details=[thought]), delta("stop")]
    parts, _ = built(chat("openrouter"), [*events, "[DONE]"])
    assert parts[0]["provider_metadata"]["x"]["reasoning_details"] == [thought]
    assert text_of(parts) == "b"


def test_encrypted_reasoning_without_a_word_is_kept() -> None:
    thought = {"type": "reasoning.encrypted", "data": "secret", "index": 0}
    parts, _ = built(
        chat("openrouter"), [delta(reasoning_details=[thought]), delta("stop", content="b"), "[DONE]"]
    )
    assert parts[0]["provider_metadata"]["x"]["reasoning_details"] == [thought]


def test_content_as_a_list_of_parts_is_read() -> None:
    picture = {"type": "hologram", "light": [1]}
    content = [{"type": "text", "text": "a"}, picture, {"type": "text", "text": "b"}]
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    parts, _ = built(chat(), [delta(content=thinking), delta("stop", content=content), "[DONE]"])
    assert [part["type"] for part in parts] == ["reasoning", "text", "opaque", "text"]
    assert (parts[0]["text"], text_of(parts)) == ("hm", "ab")
    assert parts[2]["provider_metadata"] == {"x": {"block": picture}}


def test_fields_of_an_answer_that_are_not_kept_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    events = [delta(audio={"data": "secret"}), delta(audio={"data": "more"}), delta("stop", content="a")]
    with caplog.at_level(logging.INFO, "activities.providers.openai"):
        parts, _ = built(chat(), [*events, "[DONE]"])
    (record,) = caplog.records
    assert "audio" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert text_of(parts) == "a"


def test_a_signature_of_a_text_is_kept() -> None:
    extra = {"google": {"thought_signature": "s"}}
    events = [delta(extra_content={"lost": 1}), delta(content="a"), delta("stop", extra_content=extra)]
    parts, _ = built(chat("google"), [*events, "[DONE]"])
    assert parts[0]["provider_metadata"] == {"x": {"extra_content": extra}}


def test_sources_before_any_text_are_kept() -> None:
    cited = delta("stop", content="a") | {
        "citations": ["https://a.org", {"url": "https://b.org", "title": "B"}]
    }
    parts, _ = built(chat(), [cited, "[DONE]"])
    assert [part["url"] for part in parts if part["type"] == "source"] == ["https://a.org", "https://b.org"]


def test_other_choices_than_the_first_are_ignored() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": None}]}
    parts, _ = built(chat(), [other, delta("stop", content="yes"), "[DONE]"])
    assert text_of(parts) == "yes"


def test_a_reason_to_finish_is_enough_where_the_last_word_is_left_out() -> None:
    reader = chat()
    read(reader, [delta("stop", content="a")])
    assert [type(event) for event in reader.end()][-1] is Finish
    cut = chat()
    read(cut, [delta(content="a")])
    assert list(cut.end()) == []
    assert not cut.done


@pytest.mark.parametrize("number", [429, "429"])
def test_a_router_writes_the_status_of_an_error_as_its_code(number: int | str) -> None:
    event: Event = {"error": {"code": number, "message": "Provider returned error"}, "choices": []}
    with pytest.raises(ModelCallError) as raised:
        read(chat("openrouter"), [event])
    assert raised.value.failure.kind is FailureKind.RATE_LIMIT


BROKEN: list[Event | str] = [
    "{not json",
    "[]",
    '"text"',
    {"type": "response.output_text.delta"},
    {"no": "type"},
]


@pytest.mark.parametrize("event", BROKEN)
def test_an_event_that_is_not_what_the_protocol_says_is_not_read(event: Event | str) -> None:
    with pytest.raises(UnreadableStream):
        read(responses(), [event])


@pytest.mark.parametrize("event", ["{not json", "[]", {"choices": [3]}, delta(tool_calls=["x"])])
def test_a_chunk_that_is_not_what_the_protocol_says_is_not_read(event: Event | str) -> None:
    with pytest.raises(UnreadableStream):
        read(chat(), [event])
