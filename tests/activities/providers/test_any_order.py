"""Events in an order that no vendor documents: an answer is built of them, or the stream is unreadable.

What must not happen is that the builder of the answer meets an event which it cannot place: that would end
the turn.
"""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from activities.answer import AnswerBuilder
from activities.providers.anthropic.reading import MessageReader
from activities.providers.openai import PROFILES
from activities.providers.openai.chat.stream import ChunkReader
from activities.providers.openai.responses.stream import ResponseReader
from activities.providers.protocol import ModelEvent
from activities.providers.transport import UnreadableStream

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

Event = dict[str, Any]


class Reader(Protocol):
    def read(self, data: str) -> Iterator[ModelEvent]: ...


def chunk(reason: str | None = None, **delta: Any) -> Event:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


CHAT: list[Event] = [
    chunk(content="a"),
    chunk(reasoning="r"),
    chunk(reasoning_details=[{"type": "reasoning.encrypted", "data": "x", "index": 0}]),
    chunk(tool_calls=[{"index": 0, "id": "1", "function": {"name": "f", "arguments": "{"}}]),
    chunk(tool_calls=[{"index": 0, "function": {"arguments": "}"}, "extra_content": {"g": 1}}]),
    chunk(tool_calls=[{"index": 1, "id": "2", "function": {"name": "g", "arguments": "{}"}}]),
    chunk(refusal="no"),
    chunk(extra_content={"g": 1}),
    chunk(content=[{"type": "hologram"}]),
    chunk(annotations=[{"type": "url_citation", "url_citation": {"url": "u"}}]),
    chunk("tool_calls"),
    {"id": "c", "choices": [], "usage": {"prompt_tokens": 1}},
]

ITEMS: list[Event] = [
    {"type": "message", "id": "m", "content": [{"type": "output_text", "text": "t"}]},
    {"type": "reasoning", "id": "r", "summary": []},
    {"type": "function_call", "id": "f", "call_id": "c", "name": "n", "arguments": "{}"},
    {"type": "web_search_call", "id": "w", "action": {"type": "search"}},
    {"type": "hologram", "id": "h"},
]
RESPONSES: list[Event] = [
    *(
        {"type": "response.output_item.added", "output_index": n, "item": item}
        for n, item in enumerate(ITEMS)
    ),
    *({"type": "response.output_item.done", "output_index": n, "item": item} for n, item in enumerate(ITEMS)),
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "t"},
    {"type": "response.reasoning_summary_text.delta", "output_index": 1, "summary_index": 0, "delta": "s"},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{}"},
    {
        "type": "response.output_text.annotation.added",
        "output_index": 0,
        "content_index": 0,
        "annotation": {"type": "url_citation", "url": "u"},
    },
    {"type": "response.weather"},
]

BLOCKS: list[Event] = [
    {"type": "text", "text": ""},
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u", "title": "t"}]},
    {"type": "hologram", "light": "b"},
]
DELTAS: list[Event] = [
    {"type": "text_delta", "text": "t"},
    {"type": "thinking_delta", "thinking": "h"},
    {"type": "signature_delta", "signature": "s"},
    {"type": "input_json_delta", "partial_json": "{}"},
    {"type": "citations_delta", "citation": {"url": "u"}},
]
MESSAGES: list[Event] = [
    {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1}}},
    *(
        {"type": "content_block_start", "index": n, "content_block": block}
        for n, block in enumerate(BLOCKS)
        for _ in range(2)
    ),
    *({"type": "content_block_delta", "index": n % 6, "delta": delta} for n, delta in enumerate(DELTAS)),
    *({"type": "content_block_delta", "index": 5, "delta": delta} for delta in DELTAS),
    *({"type": "content_block_stop", "index": n} for n in range(6)),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "container": {"id": "c"}}},
    {"type": "ping"},
]

WIRES: dict[str, tuple[Callable[[], Reader], list[Event], str]] = {
    "messages": (lambda: MessageReader("x", "x"), MESSAGES, '{"type": "message_stop"}'),
    "responses": (
        lambda: ResponseReader("x", "x", stored=True),
        RESPONSES,
        '{"type": "response.completed", "response": {"id": "r", "output": []}}',
    ),
    "chat": (lambda: ChunkReader("x", PROFILES["openrouter"]), CHAT, "[DONE]"),
}


@pytest.mark.parametrize(("make", "events", "end"), WIRES.values(), ids=WIRES)
def test_an_answer_is_built_or_the_stream_is_unreadable(
    make: Callable[[], Reader], events: list[Event], end: str
) -> None:
    chance = random.Random(5)
    built = 0
    for _ in range(4000):
        told = [json.dumps(event) for event in chance.choices(events, k=8)]
        reader, builder = make(), AnswerBuilder(lambda: NOON)
        try:
            for data in (*told, end):
                for event in reader.read(data):
                    builder.add(event)
        except UnreadableStream:
            continue
        assert builder.finish is not None, told
        builder.finished()
        built += 1
    assert built > 100
