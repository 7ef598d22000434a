"""Streams that are odd and legal: whatever the framing, the answer is the same."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.providers.anthropic import AnthropicProvider
from activities.providers.protocol import Finish, ModelCallError
from models.failures import FailureKind
from models.usage import Usage

from . import answers
from .conversation import Conversation
from .raw_server import RawServer, sse

BLOCKS = (answers.THINKING, answers.SEARCH, answers.HITS, answers.CITED, answers.CALL)
EVENTS = answers.stream(*BLOCKS, stop_reason="tool_use")
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


@pytest.fixture
async def talk() -> AsyncIterator[Conversation]:
    async with RawServer() as server:
        provider = AnthropicProvider(api_key="k", base_url=server.base_url)
        talk = Conversation(server, provider)
        talk.say("Who shot first?")
        yield talk
        await provider.aclose()


async def kept(talk: Conversation, *pieces: bytes) -> list[dict[str, Any]]:
    talk.server.reply(*pieces)
    builder, _ = await talk.step()
    return builder.finished().parts


def framed(newline: bytes) -> bytes:
    return sse(EVENTS, newline)


def without_names() -> bytes:
    """Some gateways send the data only."""
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in EVENTS)


def over_lines() -> bytes:
    """Data may go over several lines, which are joined by line feeds."""
    told = (json.dumps(event, indent=1).encode().replace(b"\n", b"\ndata: ") for event in EVENTS)
    return b"".join(b"data: " + data + b"\n\n" for data in told)


def interspersed() -> bytes:
    """Comments, pings, fields and events that nobody knows, deltas with nothing in them."""
    between = [
        b": keep-alive\n\n",
        PING,
        b"retry: 3000\nid: 7\n\n",
        b'event: weather\ndata: {"type": "weather", "rain": true}\n\n',
        b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta": '
        b'{"type": "thinking_delta", "thinking": ""}}\n\n',
        b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta": '
        b'{"type": "flavour_delta", "flavour": "lime"}}\n\n',
    ]
    frames = [sse([event]) for event in EVENTS]
    return b"".join([frames[0], PING, frames[1], *between, *frames[2:-1], PING, frames[-1]])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
async def test_a_stream_may_be_cut_anywhere(talk: Conversation, size: int) -> None:
    whole = framed(b"\n")
    wanted = await kept(talk, whole)
    assert await kept(talk, *(whole[at : at + size] for at in range(0, len(whole), size))) == wanted


async def test_a_letter_of_several_bytes_may_be_cut_in_the_middle(talk: Conversation) -> None:
    whole = b"".join(
        b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"
        for event in answers.stream({"type": "text", "text": "é 🦀 漢"})
    )
    (part,) = await kept(talk, *(whole[at : at + 1] for at in range(len(whole))))
    assert part["text"] == "é 🦀 漢"


@pytest.mark.parametrize(
    "stream",
    [framed(b"\r\n"), framed(b"\r"), without_names(), over_lines(), interspersed(), framed(b"\n") + PING],
    ids=["CRLF", "CR", "without names", "over lines", "interspersed", "a ping behind the end"],
)
async def test_the_framing_makes_no_difference(talk: Conversation, stream: bytes) -> None:
    assert await kept(talk, stream) == await kept(talk, framed(b"\n"))


async def test_arguments_may_come_in_one_piece(talk: Conversation) -> None:
    begun = {"type": "content_block_start", "index": 0, "content_block": answers.CALL}
    empty = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "input_json_delta", "partial_json": ""},
    }
    head, *_, ended, stopped = EVENTS
    end = {"type": "content_block_stop", "index": 0}
    (part,) = await kept(talk, sse([head, begun, empty, end, ended, stopped]))
    assert part["args"] == answers.CALL["input"]


async def test_parallel_calls_may_interleave_and_begin_anywhere(talk: Conversation) -> None:
    one, two = answers.CALL, {**answers.CALL, "id": "toolu_09", "input": {"zone": "UTC"}}

    def at(index: int, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**event, "index": index} for event in events]

    first, second = (at(3, answers.stream(one)[1:-2]), at(5, answers.stream(two)[1:-2]))
    woven = [event for pair in zip(first, second, strict=True) for event in pair]
    head, *_, ended, stopped = EVENTS
    parts = await kept(talk, sse([head, *woven, ended, stopped]))
    assert [(part["tool_call_id"], part["args"]) for part in parts] == [
        ("toolu_01", {"zone": "Asia/Tokyo"}),
        ("toolu_09", {"zone": "UTC"}),
    ]


async def usage_of(talk: Conversation, events: list[dict[str, Any]]) -> Usage:
    talk.server.reply(sse(events))
    builder, told = await talk.step()
    finish = told[-1]
    assert isinstance(finish, Finish)
    assert builder.finish == finish
    return finish.usage


async def test_the_last_usage_replaces_the_first(talk: Conversation) -> None:
    events = answers.stream(answers.TEXT, input_tokens=12, cache_read_input_tokens=5, output_tokens=9)
    assert await usage_of(talk, events) == Usage(12, 9, 0, 0, 5)


async def test_usage_may_come_at_the_end_only_or_not_at_all(talk: Conversation) -> None:
    head, *rest = answers.stream(answers.TEXT, input_tokens=12)
    bare = {**head, "message": {k: v for k, v in head["message"].items() if k != "usage"}}
    assert await usage_of(talk, [bare, *rest]) == Usage(12, 20)
    *most, ended, stopped = rest
    assert await usage_of(talk, [bare, *most, {**ended, "usage": None}, stopped]) == Usage()


@pytest.mark.parametrize("left_out", [1, 2, 3])
async def test_a_stream_that_ends_early_is_asked_for_again(talk: Conversation, left_out: int) -> None:
    talk.server.reply(sse(answers.stream(answers.TEXT)[:-left_out]))
    with pytest.raises(ModelCallError) as raised:
        await talk.step()
    assert (raised.value.failure.kind, raised.value.failure.retryable) == (FailureKind.TIMEOUT, True)


async def test_a_refusal_brings_its_words(talk: Conversation) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "I may not help with that."}
    talk.server.reply(sse(answers.stream(stop_reason="refusal", delta={"stop_details": details})))
    builder, _ = await talk.step()
    assert builder.finish is not None
    assert (builder.finish.reason, builder.finish.refusal) == ("content-filter", "I may not help with that.")
    assert not builder.has_output()
