"""The adapter against the demo model: the real SDK over a real connection."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from activities.providers.anthropic import AnthropicProvider
from activities.providers.demo import DemoModel
from activities.providers.protocol import ModelEvent, ModelRequest, PromptMessage, ToolSpec
from tests.activities.providers.request_rules.checked import CheckedModel

KEY = "sk-test-0123456789abcdef"

Ask = Callable[..., ModelRequest]


@pytest.fixture(scope="session")
async def running_model() -> AsyncIterator[CheckedModel]:
    async with CheckedModel() as model:
        yield model


@pytest.fixture
async def model(running_model: CheckedModel) -> AsyncIterator[CheckedModel]:
    running_model.clear()
    yield running_model
    await running_model.settled()
    running_model.check()


@pytest.fixture
async def provider(model: DemoModel) -> AsyncIterator[AnthropicProvider]:
    provider = AnthropicProvider(api_key=KEY, base_url=model.base_url)
    yield provider
    await provider.aclose()


def script(*steps: dict[str, Any]) -> str:
    """What a user types to make the demo model say this."""
    return f"```demo\n{json.dumps({'steps': steps})}\n```"


def typed(text: str) -> PromptMessage:
    return PromptMessage("user", [{"type": "text", "text": text}])


def ask(*messages: PromptMessage, thinking: int | None = None) -> ModelRequest:
    clock = ToolSpec("current_time", "Tell the time.", {"type": "object", "properties": {}})
    return ModelRequest("demo-1", ["Be brief."], messages, [clock], 4000, thinking_budget_tokens=thinking)


async def answer(provider: AnthropicProvider, request: ModelRequest) -> list[ModelEvent]:
    async with provider.stream(request) as events:
        return [event async for event in events]
