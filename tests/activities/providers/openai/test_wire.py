"""Whole answers, and every way one can fail, at the wire of both interfaces."""

import asyncio
import socket
from typing import Any

import pytest

from activities.providers.demo import DemoModel
from activities.providers.openai import PROFILES, OpenAIProvider, Server, openai_chat, openai_responses
from activities.providers.protocol import (
    Finish,
    FinishReason,
    ModelCallError,
    ModelProvider,
    PromptMessage,
    TextDelta,
)
from models.failures import Failure, FailureKind
from models.usage import Usage

from .conftest import KEY, Conversation, Make, answer, ask, script, typed

TWO_TOOLS: list[dict[str, Any]] = [
    {"name": "current_time", "input": {"timezone": "Asia/Tokyo", "n": [1, None, 2.5], "s": "ä🦀" * 30}},
    {"name": "current_time", "input": {}},
]


async def failure_of(provider: OpenAIProvider, text: str = "hello") -> Failure:
    with pytest.raises(ModelCallError) as raised:
        await answer(provider, ask(typed(text)))
    assert KEY not in repr(raised.value.failure)
    assert raised.value.__cause__ is None
    return raised.value.failure


def test_it_is_a_model_provider(make: Make) -> None:
    neutral: ModelProvider = make("responses")
    assert neutral.label == "openai"


async def test_text_arrives_piece_by_piece_and_cached_tokens_are_counted_once(
    provider: OpenAIProvider, model: DemoModel
) -> None:
    usage = {
        "input_tokens": 7,
        "output_tokens": 30,
        "reasoning_tokens": 20,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 2,
    }
    said = "One, two, three. 🦀"
    events = await answer(provider, ask(typed(script({"text": said, "usage": usage}))))

    pieces = [event.text for event in events if isinstance(event, TextDelta)]
    assert "".join(pieces) == said
    assert len(pieces) >= 4
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.reason is FinishReason.STOP
    assert finish.usage == Usage(7, 30, 20, 2, 5)
    assert finish.usage.total_tokens == 44
    assert finish.response_id


ODD_FRAMINGS: list[dict[str, Any]] = [
    {"chunk_bytes": 1},
    {"crlf": True, "chunk_bytes": 5},
    {"comments": True, "crlf": True},
    {"interleaved": True},
    {"whole_arguments": True},
    {"first_tool_index": 4, "interleaved": True, "chunk_bytes": 11},
]


@pytest.mark.parametrize("framing", ODD_FRAMINGS)
async def test_however_it_is_written_the_answer_is_the_same(
    provider: OpenAIProvider, framing: dict[str, Any]
) -> None:
    chat = Conversation(provider)
    chat.say(script({"thinking": "Hm.", "text": "Let me look.", "tools": TWO_TOOLS, "framing": framing}))
    kept, finish = await chat.listen()
    assert finish.reason is FinishReason.TOOL_CALLS
    assert [part["text"] for part in kept.parts if part["type"] == "text"] == ["Let me look."]
    calls = [part for part in kept.parts if part["type"] == "tool-call"]
    assert [call["args"] for call in calls] == [TWO_TOOLS[0]["input"], {}]
    assert len({call["tool_call_id"] for call in calls}) == 2


ENDINGS = [("max_tokens", FinishReason.LENGTH), ("refusal", FinishReason.CONTENT_FILTER)]


@pytest.mark.parametrize(("stop_reason", "reason"), ENDINGS)
async def test_an_incomplete_answer_says_why(
    provider: OpenAIProvider, stop_reason: str, reason: FinishReason
) -> None:
    events = await answer(provider, ask(typed(script({"text": "a b", "stop_reason": stop_reason}))))
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.reason is reason


async def test_calls_of_an_answer_that_was_cut_off_are_not_waited_for(provider: OpenAIProvider) -> None:
    steps = script({"tools": TWO_TOOLS, "stop_reason": "max_tokens"})
    chat = Conversation(provider)
    chat.say(steps)
    _, finish = await chat.listen()
    assert finish.reason is FinishReason.LENGTH


STATUSES = [
    (401, "invalid_api_key", "Incorrect API key provided: sk-test-****cdef.", FailureKind.AUTH, False),
    (403, None, "You do not have access", FailureKind.AUTH, False),
    (402, None, "Insufficient credits", FailureKind.USAGE_LIMIT, False),
    (429, "insufficient_quota", "You exceeded your current quota", FailureKind.USAGE_LIMIT, False),
    (429, None, "You exceeded your quota per minute", FailureKind.RATE_LIMIT, True),
    (429, "rate_limit_exceeded", "Rate limit reached for gpt", FailureKind.RATE_LIMIT, True),
    (404, "model_not_found", "The model `x` does not exist", FailureKind.CONFIG, False),
    (400, "unsupported_value", "Unsupported value: 'temperature'", FailureKind.CONFIG, False),
    (400, "content_filter", "The response was filtered", FailureKind.CONTENT_FILTER, False),
    (400, None, "Something is wrong", FailureKind.GENERIC, False),
    (408, None, "Request timeout", FailureKind.TIMEOUT, True),
    (500, "server_error", "The server had an error", FailureKind.GENERIC, True),
    (502, None, "Bad gateway", FailureKind.TIMEOUT, True),
    (503, None, "The engine is currently overloaded", FailureKind.OVERLOADED, True),
    (503, None, "model not found", FailureKind.CONFIG, False),
    (504, None, "Too slow", FailureKind.TIMEOUT, True),
    (529, None, "Busy", FailureKind.OVERLOADED, True),
]


@pytest.mark.parametrize(("status", "code", "message", "kind", "retryable"), STATUSES)
async def test_a_status_is_classified(
    provider: OpenAIProvider,
    model: DemoModel,
    status: int,
    code: str | None,
    message: str,
    kind: FailureKind,
    retryable: bool,
) -> None:
    model.order_fault({"kind": "status", "status": status, "message": message, "code": code})
    failure = await failure_of(provider)
    assert (failure.kind, failure.retryable, failure.status_code) == (kind, retryable, status)
    assert "OpenAI" in failure.message
    assert str(status) not in failure.message
    assert len(model.requests) == 1, "the SDK must not retry"


TOO_LONG = [
    ("context_length_exceeded", "This model's maximum context length is 128000 tokens."),
    (None, "Input tokens exceed the configured limit of 272000 tokens."),
    (None, "the request exceeds the available context size"),
]


@pytest.mark.parametrize(("code", "message"), TOO_LONG)
async def test_a_prompt_that_is_too_long_may_be_compacted(
    provider: OpenAIProvider, model: DemoModel, code: str | None, message: str
) -> None:
    model.order_fault({"kind": "status", "status": 400, "message": message, "code": code})
    failure = await failure_of(provider)
    assert (failure.kind, failure.context_overflow, failure.retryable) == (FailureKind.CONFIG, True, False)


CONTINUITY = [
    ("No tool output found for function call call_abc123.", "match=function_call_output_missing"),
    (
        "Item 'ws_abc123' of type 'web_search_call' was provided without its required 'reasoning' item: "
        "'rs_abc123'.",
        "match=web_search_reasoning_missing",
    ),
]


@pytest.mark.parametrize(("message", "match"), CONTINUITY)
async def test_a_mismatch_with_what_the_vendor_remembers_is_ours_and_shows_no_ids(
    provider: OpenAIProvider, model: DemoModel, message: str, match: str
) -> None:
    model.order_fault({"kind": "status", "status": 400, "message": message})
    failure = await failure_of(provider)
    assert (failure.kind, failure.retryable, failure.detail) == (FailureKind.GENERIC, False, match)
    assert "abc123" not in repr(failure)
    assert "not a matter of configuration" in failure.message


async def test_a_forgotten_answer_breaks_the_chain_and_is_retried(make: Make) -> None:
    request = ask(typed("hello"), previous_response_id="resp_gone")
    with pytest.raises(ModelCallError) as raised:
        await answer(make("responses"), request)
    failure = raised.value.failure
    assert (failure.kind, failure.retryable, failure.chain_broken) == (FailureKind.GENERIC, True, True)
    assert failure.status_code == 400
    assert "resp_gone" not in repr(failure)
    assert "chain_broken" not in failure.as_chat_error()


async def test_the_provider_says_when_to_come_back(provider: OpenAIProvider, model: DemoModel) -> None:
    for headers, seconds in (
        ({"retry-after": "7.5"}, 7.5),
        ({"retry-after": "7", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "soon"}, None),
    ):
        model.order_fault({"kind": "status", "status": 429, "headers": headers})
        assert (await failure_of(provider)).retry_after_seconds == seconds


EVENTS = [
    ("server_error", "Internal server error", FailureKind.GENERIC, True),
    ("rate_limit_exceeded", "slow down", FailureKind.RATE_LIMIT, True),
    ("insufficient_quota", "pay", FailureKind.USAGE_LIMIT, False),
    ("server_is_overloaded", "busy", FailureKind.OVERLOADED, True),
    ("invalid_prompt", "flagged", FailureKind.CONTENT_FILTER, False),
    ("a_new_error", "what is this", FailureKind.GENERIC, False),
]


@pytest.mark.parametrize("as_failed_answer", [False, True])
@pytest.mark.parametrize(("code", "message", "kind", "retryable"), EVENTS)
async def test_an_error_in_a_stream_that_began_well_is_classified(
    provider: OpenAIProvider,
    model: DemoModel,
    code: str,
    message: str,
    kind: FailureKind,
    retryable: bool,
    as_failed_answer: bool,
) -> None:
    fault = {"kind": "error_event", "error_type": code, "code": code, "message": message, "after_pieces": 2}
    model.order_fault(fault | {"as_failed_answer": as_failed_answer})
    failure = await failure_of(provider, script({"text": "a b c d"}))
    assert (failure.kind, failure.retryable, failure.detail) == (kind, retryable, message)


@pytest.mark.parametrize("after_pieces", [0, 2, 100])
async def test_a_stream_that_ends_without_its_terminal_event_is_asked_again(
    provider: OpenAIProvider, model: DemoModel, after_pieces: int
) -> None:
    model.order_fault({"kind": "cut", "after_pieces": after_pieces})
    failure = await failure_of(provider, script({"text": "a b c d"}))
    assert (failure.kind, failure.retryable, failure.detail) == (FailureKind.TIMEOUT, True, None)


async def test_a_reset_connection_is_asked_again(provider: OpenAIProvider, model: DemoModel) -> None:
    model.order_fault({"kind": "drop", "after_pieces": 2})
    failure = await failure_of(provider, script({"text": "a b c d"}))
    assert (failure.kind, failure.retryable) == (FailureKind.TIMEOUT, True)


async def test_a_garbled_event_is_asked_again(provider: OpenAIProvider, model: DemoModel) -> None:
    model.order_fault({"kind": "bad_frame", "after_pieces": 2})
    failure = await failure_of(provider, script({"text": "a b c d"}))
    assert (failure.kind, failure.retryable) == (FailureKind.GENERIC, True)


async def test_a_server_that_is_not_there_is_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = Server("openrouter", PROFILES["openrouter"], KEY, f"http://127.0.0.1:{port}")
    provider = openai_chat(server)
    failure = await failure_of(provider)
    assert (failure.kind, failure.retryable) == (FailureKind.TIMEOUT, True)
    assert failure.message == "OpenRouter is temporarily unavailable."
    await provider.aclose()


@pytest.mark.parametrize(("address", "key"), [("ftp://127.0.0.1", KEY), (None, f"{KEY}\n")])
async def test_an_address_or_key_that_cannot_be_sent_is_a_matter_of_configuration(
    model: DemoModel, address: str | None, key: str
) -> None:
    server = Server("openai", PROFILES["openai"], key, address or model.openai_url)
    provider = openai_responses(server)
    failure = await failure_of(provider)
    assert (failure.kind, failure.retryable) == (FailureKind.CONFIG, False)
    await provider.aclose()


def test_an_address_that_is_none_is_refused_before_the_first_call() -> None:
    with pytest.raises(ModelCallError) as raised:
        openai_responses(Server("openai", PROFILES["openai"], KEY, "http://127.0.0.1:port"))
    assert raised.value.failure.kind is FailureKind.CONFIG


async def test_headers_of_the_request_are_sent(provider: OpenAIProvider, model: DemoModel) -> None:
    await answer(provider, ask(typed("hello"), headers={"X-Coder-Chat-Id": "c-1"}))
    assert model.requests[-1].headers["x-coder-chat-id"] == "c-1"


async def test_azure_gets_its_key_and_version_where_it_looks_for_them(model: DemoModel) -> None:
    address = f"{model.base_url}/azure/v1"
    provider = openai_chat(Server("azure", PROFILES["azure"], KEY, address, api_version="preview"))
    await answer(provider, ask(typed("hello")))
    await provider.aclose()
    (request,) = model.requests
    assert request.outcome == "completed"
    assert request.query == "api-version=preview"
    assert "api-key" not in request.headers, "the recorder shows no keys"
    assert request.key_headers == {"api-key", "authorization"}


async def test_leaving_early_closes_the_connection_at_once(
    provider: OpenAIProvider, model: DemoModel
) -> None:
    stalled = script({"text": "a b c", "hold": {"after_pieces": 2, "name": "never"}})
    async with provider.stream(ask(typed(stalled))) as events:
        async for event in events:
            assert isinstance(event, TextDelta)
            break
    async with asyncio.timeout(2):
        await model.settled()
    assert model.requests[-1].outcome == "client_disconnected"


@pytest.mark.parametrize("fault", [{"kind": "stall"}, {"kind": "slow_first", "seconds": 600}])
async def test_a_cancellation_passes_through_and_closes_the_connection(
    provider: OpenAIProvider, model: DemoModel, fault: dict[str, Any]
) -> None:
    await answer(provider, ask(typed(script({"text": "first"}))))
    model.order_fault(fault)
    call = asyncio.create_task(answer(provider, ask(typed(script({"text": "a b c"})))))
    await model.received(model.requests[-1].index + 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(2):
        await model.settled()
    assert model.requests[-1].outcome == "client_disconnected"


async def test_an_error_of_the_reader_is_not_taken_for_one_of_the_model(provider: OpenAIProvider) -> None:
    with pytest.raises(ConnectionError, match="redis"):
        async with provider.stream(ask(typed("hello"))):
            raise ConnectionError("redis is away")


async def test_a_part_without_a_wire_form_fails_the_call_for_good(provider: OpenAIProvider) -> None:
    with pytest.raises(ModelCallError) as raised:
        await answer(provider, ask(PromptMessage("user", [{"type": "hologram"}])))
    assert (raised.value.failure.kind, raised.value.failure.retryable) == (FailureKind.GENERIC, False)
