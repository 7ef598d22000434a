"""Whole answers, and every way one can fail, at the wire."""

import asyncio
import socket
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from activities.answer import AnswerBuilder
from activities.providers.anthropic import AnthropicProvider
from activities.providers.demo import DemoModel
from activities.providers.protocol import (
    Finish,
    FinishReason,
    ModelCallError,
    ModelProvider,
    PromptMessage,
    TextDelta,
    Usage,
)
from models.failures import Failure, FailureKind

from .conftest import KEY, answer, ask, script, typed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TWO_TOOLS: list[dict[str, Any]] = [
    {"name": "current_time", "input": {"timezone": "Asia/Tokyo", "n": [1, None, 2.5]}},
    {"name": "current_time", "input": {}},
]


async def failure_of(provider: AnthropicProvider, text: str = "hello") -> Failure:
    with pytest.raises(ModelCallError) as raised:
        await answer(provider, ask(typed(text)))
    assert KEY not in repr(raised.value.failure)
    assert raised.value.__cause__ is None
    return raised.value.failure


async def test_text_arrives_piece_by_piece_and_ends_with_usage(
    provider: AnthropicProvider, model: DemoModel
) -> None:
    usage = {
        "input_tokens": 7,
        "output_tokens": 3,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 2,
    }
    said = "One, two, three. 🦀"
    events = await answer(provider, ask(typed(script({"text": said, "usage": usage}))))

    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == said
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.reason is FinishReason.STOP
    assert finish.usage == Usage(7, 3, 0, 2, 5)
    assert finish.response_id
    assert finish.response_id.startswith("msg_")


async def test_what_came_in_goes_back_in_the_next_request_byte_for_byte(
    provider: AnthropicProvider, model: DemoModel
) -> None:
    steps = script(
        {"thinking": "Hm.\n The “clock” 🕰", "text": "Let me look.", "tools": TWO_TOOLS}, {"text": "Noon."}
    )
    builder = AnswerBuilder(lambda: NOON)
    for event in await answer(provider, ask(typed(steps), thinking=2000)):
        builder.add(event)
    kept = builder.finished()
    assert builder.finish
    assert [ref.id for ref in builder.calls_to_run(builder.finish.reason)] == [
        part["tool_call_id"] for part in kept.parts if part["type"] == "tool-call"
    ]
    results = [
        PromptMessage(
            "tool",
            [{"type": "tool-result", "tool_call_id": ref.id, "tool_name": ref.name, "result": {"n": n}}],
        )
        for n, ref in enumerate(kept.calls)
    ]

    await answer(provider, ask(typed(steps), PromptMessage("assistant", kept.parts), *results, thinking=2000))

    # The demo model refuses a signature that is not exactly its own.
    assert [request.outcome for request in model.requests] == ["completed", "completed"]
    thinking, text, first, second = model.requests[-1].body["messages"][1]["content"]
    assert thinking["signature"].startswith("demo")
    assert thinking["thinking"] == "Hm.\n The “clock” 🕰"
    assert text["text"] == "Let me look."
    assert [first["input"], second["input"]] == [TWO_TOOLS[0]["input"], {}]


async def test_a_connection_serves_the_next_call(provider: AnthropicProvider, model: DemoModel) -> None:
    # The body is read to its end, or the pool would throw the connection away.
    address = ("127.0.0.1", int(model.base_url.rsplit(":", 1)[1]))
    ports: set[int] = set()
    for _ in range(3):
        await answer(provider, ask(typed(script({"text": "a b c"}))))
        mine = [c for c in psutil.Process().net_connections("tcp4") if c.raddr == address]
        ports.update(connection.laddr.port for connection in mine)
    assert len(ports) == 1


async def test_it_is_a_model_provider(provider: AnthropicProvider) -> None:
    neutral: ModelProvider = provider
    assert neutral.label == "anthropic"


async def test_headers_of_the_request_are_sent(provider: AnthropicProvider, model: DemoModel) -> None:
    request = ask(typed("hello"))
    request.headers["X-Coder-Chat-Id"] = "c-1"
    await answer(provider, request)
    assert model.requests[-1].headers["x-coder-chat-id"] == "c-1"


STATUSES = [
    (401, "invalid x-api-key", FailureKind.AUTH, False),
    (403, "Your API key does not have permission", FailureKind.AUTH, False),
    (402, "Payment is due", FailureKind.USAGE_LIMIT, False),
    (400, "Your credit balance is too low to access the API.", FailureKind.USAGE_LIMIT, False),
    (404, "model: claude-none", FailureKind.CONFIG, False),
    (413, "Request exceeds the maximum size", FailureKind.CONFIG, False),
    (400, "prompt is too long: 210000 tokens > 200000 maximum", FailureKind.CONFIG, False),
    (400, "messages.0: something is wrong", FailureKind.GENERIC, False),
    (408, "Request timeout", FailureKind.TIMEOUT, True),
    (429, "This would exceed your quota", FailureKind.RATE_LIMIT, True),
    (500, "Internal server error", FailureKind.GENERIC, True),
    (502, "Bad gateway", FailureKind.TIMEOUT, True),
    (503, "Down for repairs", FailureKind.TIMEOUT, True),
    (504, "Too slow", FailureKind.TIMEOUT, True),
    (529, "Overloaded", FailureKind.OVERLOADED, True),
]


@pytest.mark.parametrize(("status", "message", "kind", "retryable"), STATUSES)
async def test_a_status_is_classified(
    provider: AnthropicProvider,
    model: DemoModel,
    status: int,
    message: str,
    kind: FailureKind,
    retryable: bool,
) -> None:
    model.order_fault({"kind": "status", "status": status, "message": message})
    failure = await failure_of(provider)
    assert (failure.kind, failure.retryable, failure.status_code) == (kind, retryable, status)
    assert failure.detail == message
    assert "Anthropic" in failure.message
    assert str(status) not in failure.message
    assert len(model.requests) == 1, "the SDK must not retry"


async def test_the_provider_says_when_to_come_back(provider: AnthropicProvider, model: DemoModel) -> None:
    for headers, seconds in (
        ({"retry-after": "7.5"}, 7.5),
        ({"retry-after": "7", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "soon"}, None),
    ):
        model.order_fault({"kind": "status", "status": 429, "headers": headers})
        assert (await failure_of(provider)).retry_after_seconds == seconds


EVENTS = [
    ("overloaded_error", "Overloaded", FailureKind.OVERLOADED, True),
    ("api_error", "Internal server error", FailureKind.GENERIC, True),
    ("rate_limit_error", "slow down", FailureKind.RATE_LIMIT, True),
    ("invalid_request_error", "no", FailureKind.GENERIC, False),
    ("timeout_error", "too slow", FailureKind.TIMEOUT, True),
    ("a_new_error", "what is this", FailureKind.GENERIC, False),
]


@pytest.mark.parametrize(("error_type", "message", "kind", "retryable"), EVENTS)
async def test_an_error_event_in_the_stream_is_classified(
    provider: AnthropicProvider,
    model: DemoModel,
    error_type: str,
    message: str,
    kind: FailureKind,
    retryable: bool,
) -> None:
    model.order_fault(
        {"kind": "error_event", "error_type": error_type, "message": message, "after_pieces": 2}
    )
    failure = await failure_of(provider, script({"text": "a b c d"}))
    assert (failure.kind, failure.retryable, failure.detail) == (kind, retryable, message)


@pytest.mark.parametrize("after_pieces", [0, 2, 100])
async def test_a_stream_that_ends_without_its_terminal_event_is_asked_again(
    provider: AnthropicProvider, model: DemoModel, after_pieces: int
) -> None:
    model.order_fault({"kind": "cut", "after_pieces": after_pieces})
    failure = await failure_of(provider, script({"text": "a b c d"}))
    assert (failure.kind, failure.retryable, failure.detail) == (FailureKind.TIMEOUT, True, None)


async def test_a_reset_connection_is_asked_again(provider: AnthropicProvider, model: DemoModel) -> None:
    model.order_fault({"kind": "drop", "after_pieces": 2})
    failure = await failure_of(provider, script({"text": "a b c d"}))
    assert (failure.kind, failure.retryable) == (FailureKind.TIMEOUT, True)


async def test_a_garbled_event_is_asked_again(provider: AnthropicProvider, model: DemoModel) -> None:
    model.order_fault({"kind": "bad_frame", "after_pieces": 2})
    failure = await failure_of(provider, script({"text": "a b c d"}))
    assert (failure.kind, failure.retryable) == (FailureKind.GENERIC, True)


async def test_a_server_that_is_not_there_is_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    provider = AnthropicProvider(api_key=KEY, base_url=f"http://127.0.0.1:{port}", label="demo")
    failure = await failure_of(provider)
    assert (failure.kind, failure.retryable, failure.provider) == (FailureKind.TIMEOUT, True, "demo")
    assert failure.message == "Demo model is temporarily unavailable."
    await provider.aclose()


@pytest.mark.parametrize(("address", "key"), [("ftp://127.0.0.1", KEY), (None, f"{KEY}\n")])
async def test_an_address_or_key_that_cannot_be_sent_is_a_matter_of_configuration(
    model: DemoModel, address: str | None, key: str
) -> None:
    provider = AnthropicProvider(api_key=key, base_url=address or model.base_url)
    failure = await failure_of(provider)
    assert (failure.kind, failure.retryable) == (FailureKind.CONFIG, False)
    await provider.aclose()


def test_an_address_that_is_none_is_refused_before_the_first_call() -> None:
    with pytest.raises(ModelCallError) as raised:
        AnthropicProvider(api_key=KEY, base_url="http://127.0.0.1:port")
    assert raised.value.failure.kind is FailureKind.CONFIG


async def test_leaving_early_closes_the_connection_at_once(
    provider: AnthropicProvider, model: DemoModel
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
    provider: AnthropicProvider, model: DemoModel, fault: dict[str, Any]
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


async def test_an_error_of_the_reader_is_not_taken_for_one_of_the_model(
    provider: AnthropicProvider, model: DemoModel
) -> None:
    with pytest.raises(ConnectionError, match="redis"):
        async with provider.stream(ask(typed("hello"))):
            raise ConnectionError("redis is away")


async def test_a_part_without_a_wire_form_fails_the_call_for_good(provider: AnthropicProvider) -> None:
    with pytest.raises(ModelCallError) as raised:
        await answer(provider, ask(PromptMessage("user", [{"type": "hologram"}])))
    assert (raised.value.failure.kind, raised.value.failure.retryable) == (FailureKind.GENERIC, False)
