"""Streams of both interfaces that are odd and legal: whatever the framing, the answer is the same."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from activities.answer import AnswerBuilder
from activities.providers.openai import PROFILES, OpenAIProvider, Server, openai_chat, openai_responses
from activities.providers.protocol import Finish, FinishReason, Usage
from tests.activities.providers.anthropic.raw_server import RawServer

from .conftest import NOON, ask, typed

Event = dict[str, Any]


def responses() -> list[Event]:
    """Text and two calls whose arguments come by turns, as the vendor documents them."""
    texts = ["é 🦀", " 漢\n\nend"]
    said = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    calls = [
        {
            "id": f"fc_{n}",
            "type": "function_call",
            "call_id": f"call_{n}",
            "name": "look",
            "arguments": written,
        }
        for n, written in ((1, '{"zone":"Asia/Tokyo"}'), (2, '{"zone":"UTC"}'))
    ]
    message: Event = {**said, "content": [{"type": "output_text", "text": "".join(texts), "annotations": []}]}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    started: Event = {"id": "resp_1", "status": "in_progress", "output": [], "usage": {"input_tokens": 1}}
    usage = {"input_tokens": 12, "output_tokens": 9, "input_tokens_details": {"cached_tokens": 5}}
    events: list[Event] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
        {"type": "response.output_item.added", "output_index": 0, "item": {**said, "content": []}},
        *({"type": "response.output_text.delta", **place, "delta": words} for words in texts),
        {"type": "response.output_text.done", **place, "text": "".join(texts)},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
    ]
    for index, call in enumerate(calls, 1):
        begun = {**call, "arguments": ""}
        events.append({"type": "response.output_item.added", "output_index": index, "item": begun})
    for half in (slice(0, 7), slice(0, 0), slice(7, None)):
        for index, call in enumerate(calls, 1):
            piece = call["arguments"][half]
            kind = "response.function_call_arguments.delta"
            events.append({"type": kind, "output_index": index, "delta": piece})
    for index, call in enumerate(calls, 1):
        events.append({"type": "response.output_item.done", "output_index": index, "item": call})
    whole: Event = {"id": "resp_1", "status": "completed", "output": [message, *calls], "usage": usage}
    return [*events, {"type": "response.completed", "response": whole}]


def chat() -> list[Event]:
    """The same in chunks; the usage comes in one without choices, after a first that it replaces."""

    def chunk(reason: str | None = None, **delta: Any) -> Event:
        return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    def call(index: int, **fields: Any) -> Event:
        return chunk(tool_calls=[{"index": index, **fields}])

    written = {3: '{"zone":"Asia/Tokyo"}', 5: '{"zone":"UTC"}'}
    begun = [
        call(index, id=f"call_{n}", type="function", function={"name": "look", "arguments": ""})
        for n, index in enumerate(written, 1)
    ]
    pieces = [
        call(index, function={"arguments": text[half]})
        for half in (slice(0, 7), slice(0, 0), slice(7, None))
        for index, text in written.items()
    ]
    first, last = {"prompt_tokens": 1}, {"prompt_tokens": 12, "completion_tokens": 9}
    last |= {"prompt_tokens_details": {"cached_tokens": 5}}
    return [
        chunk(role="assistant", content="") | {"usage": first},
        chunk(content="é 🦀"),
        chunk(content=" 漢\n\nend"),
        *begun,
        *pieces,
        chunk("tool_calls"),
        {"id": "c", "choices": [], "usage": last},
    ]


STREAMS: dict[str, Callable[[], list[Event]]] = {"responses": responses, "chat": chat}


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


@pytest.fixture(params=STREAMS)
async def provider(request: pytest.FixtureRequest, server: RawServer) -> AsyncIterator[OpenAIProvider]:
    make = openai_responses if request.param == "responses" else openai_chat
    provider = make(Server("openai", PROFILES["openai"], "k", f"{server.base_url}/v1"))
    yield provider
    await provider.aclose()


@pytest.fixture
def events(request: pytest.FixtureRequest) -> list[Event]:
    name = request.node.callspec.params["provider"]
    return STREAMS[name]()


def frames(
    events: list[Event], newline: str = "\n", *, named: bool = False, ascii_: bool = False
) -> list[bytes]:
    return [
        (
            (f"event: {event['type']}{newline}" if named and "type" in event else "")
            + f"data: {json.dumps(event, ensure_ascii=ascii_)}{newline}{newline}"
        ).encode()
        for event in events
    ]


DONE = b"data: [DONE]\n\n"


def between(events: list[Event], what: bytes) -> bytes:
    return b"".join(frame + what for frame in frames(events)) + DONE


def over_lines(events: list[Event]) -> bytes:
    """Data may go over several lines, which are joined by line feeds."""
    told = (json.dumps(event, indent=1).encode().replace(b"\n", b"\ndata: ") for event in events)
    return b"".join(b"data: " + data + b"\n\n" for data in told) + DONE


ODD: dict[str, Callable[[list[Event]], bytes]] = {
    "named events": lambda events: b"".join(frames(events, named=True)) + DONE,
    "CRLF": lambda events: b"".join(frames(events, "\r\n")) + b"data: [DONE]\r\n\r\n",
    "CR": lambda events: b"".join(frames(events, "\r")) + b"data: [DONE]\r\r",
    "escapes": lambda events: b"".join(frames(events, ascii_=True)) + DONE,
    "over lines": over_lines,
    "no blank behind the colon": lambda events: (b"".join(frames(events)) + DONE).replace(
        b"data: ", b"data:"
    ),
    "comments": lambda events: between(events, b": OPENROUTER PROCESSING\n\n"),
    "pings": lambda events: between(events, b'event: ping\ndata: {"type": "ping", "choices": []}\n\n'),
    "fields nobody knows": lambda events: between(events, b"retry: 3000\nid: 7\nweather: rain\n\n"),
    "unknown events": lambda events: between(events, b'data: {"type": "response.weather", "rain": 1}\n\n'),
    "done told twice": lambda events: b"".join(frames(events)) + DONE + DONE,
    "the end told twice": lambda events: b"".join(frames([*events, events[-1]])) + DONE,
}


async def answered(
    provider: OpenAIProvider, server: RawServer, *pieces: bytes
) -> tuple[list[dict[str, Any]], Finish]:
    server.reply(*pieces)
    builder = AnswerBuilder(lambda: NOON)
    async with provider.stream(ask(typed("go"))) as told:
        async for event in told:
            builder.add(event)
    assert builder.finish is not None
    return builder.finished().parts, builder.finish


def check(parts: list[dict[str, Any]], finish: Finish) -> None:
    assert "".join(part["text"] for part in parts if part["type"] == "text") == "é 🦀 漢\n\nend"
    calls = [(part["tool_call_id"], part["args"]) for part in parts if part["type"] == "tool-call"]
    assert calls == [("call_1", {"zone": "Asia/Tokyo"}), ("call_2", {"zone": "UTC"})]
    assert (finish.reason, finish.usage) == (FinishReason.TOOL_CALLS, Usage(7, 9, 0, 0, 5))


@pytest.mark.parametrize("written", ODD.values(), ids=ODD)
async def test_the_framing_makes_no_difference(
    provider: OpenAIProvider,
    server: RawServer,
    events: list[Event],
    written: Callable[[list[Event]], bytes],
) -> None:
    check(*await answered(provider, server, written(events)))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
async def test_a_stream_may_be_cut_anywhere(
    provider: OpenAIProvider, server: RawServer, events: list[Event], size: int
) -> None:
    whole = b"".join(frames(events)) + DONE
    check(*await answered(provider, server, *(whole[at : at + size] for at in range(0, len(whole), size))))
