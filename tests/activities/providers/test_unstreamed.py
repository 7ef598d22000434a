"""Answers that come with 200 and are no stream, at the wire of every adapter."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.providers.anthropic import AnthropicProvider
from activities.providers.openai import PROFILES, Server, openai_chat, openai_responses
from activities.providers.protocol import (
    ModelCallError,
    ModelEvent,
    ModelProvider,
    ModelRequest,
    PromptMessage,
)
from models.failures import Failure, FailureKind
from tests.activities.providers.anthropic.raw_server import RawServer

REQUEST = ModelRequest("m", [], [PromptMessage("user", [{"type": "text", "text": "hello"}])], [], 100)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


@pytest.fixture(params=["messages", "responses", "chat"])
async def provider(request: pytest.FixtureRequest, server: RawServer) -> AsyncIterator[ModelProvider]:
    address = f"{server.base_url}/v1"
    provider: ModelProvider
    match request.param:
        case "messages":
            provider = AnthropicProvider(api_key="k", base_url=server.base_url)
        case "responses":
            provider = openai_responses(Server("openai", PROFILES["openai"], "k", address))
        case _:
            provider = openai_chat(Server("openrouter", PROFILES["openrouter"], "k", address))
    yield provider
    await provider.aclose()


async def answer(provider: ModelProvider, request: ModelRequest) -> list[ModelEvent]:
    async with provider.stream(request) as events:
        return [event async for event in events]


async def failure_of(provider: ModelProvider) -> Failure:
    with pytest.raises(ModelCallError) as raised:
        await answer(provider, REQUEST)
    return raised.value.failure


ERRORS: list[tuple[Any, FailureKind, bool]] = [
    ({"type": "overloaded_error", "message": "Overloaded"}, FailureKind.OVERLOADED, True),
    ({"type": "invalid_request_error", "message": "Invalid API key"}, FailureKind.AUTH, False),
    ({"message": "Rate limit exceeded: free-models-per-day"}, FailureKind.RATE_LIMIT, True),
    ("no such deployment", FailureKind.GENERIC, False),
]


@pytest.mark.parametrize(("error", "kind", "retryable"), ERRORS)
@pytest.mark.parametrize("in_a_stream", [False, True])
async def test_an_error_in_place_of_an_answer_is_sorted(
    provider: ModelProvider,
    server: RawServer,
    error: Any,
    kind: FailureKind,
    retryable: bool,
    in_a_stream: bool,
) -> None:
    body = json.dumps({"error": error})
    if in_a_stream:
        server.reply(f"data: {body}\n\n".encode())
    else:
        server.reply(body[:5].encode(), body[5:].encode(), content_type="application/json; charset=utf-8")
    failure = await failure_of(provider)
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert failure.detail == (error if isinstance(error, str) else error["message"])


PAGES = [
    ("text/html; charset=utf-8", b"<html>Please sign in</html>"),
    ("application/json", b'{"choices": [{"message": {"content": "hi"}}]}'),
    ("application/json", b"{not JSON"),
    ("application/json", b'"words"'),
    ("text/html", b"<p>" + b"x" * 200_000),
]


@pytest.mark.parametrize(("content_type", "body"), PAGES)
async def test_something_else_at_the_address_is_a_matter_of_configuration(
    provider: ModelProvider, server: RawServer, content_type: str, body: bytes
) -> None:
    server.reply(body, content_type=content_type)
    failure = await failure_of(provider)
    assert (failure.kind, failure.retryable) == (FailureKind.CONFIG, False)
    assert failure.detail is not None
    assert "Check the address" in failure.detail
    assert "sign in" not in repr(failure)


async def test_an_empty_body_is_asked_for_again(provider: ModelProvider, server: RawServer) -> None:
    server.reply()
    failure = await failure_of(provider)
    assert (failure.kind, failure.retryable) == (FailureKind.TIMEOUT, True)
