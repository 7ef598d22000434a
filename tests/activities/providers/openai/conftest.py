"""Both adapters against the demo model, which refuses what OpenAI would refuse: the real SDK, a real wire."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.answer import AnswerBuilder, Kept
from activities.providers.demo import DemoModel, script_block
from activities.providers.openai import PROFILES, OpenAIProvider, Server, openai_chat, openai_responses
from activities.providers.protocol import Finish, ModelEvent, ModelRequest, PromptMessage, ToolSpec
from tests.activities.providers.request_rules.checked import CheckedModel

KEY = "sk-test-0123456789abcdef"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLOCK = ToolSpec("current_time", "Tell the time.", {"type": "object", "properties": {}, "required": []})


@pytest.fixture(scope="session")
async def running_model() -> AsyncIterator[CheckedModel]:
    async with CheckedModel() as model:
        yield model


@pytest.fixture
async def model(running_model: CheckedModel) -> AsyncIterator[DemoModel]:
    running_model.clear()
    yield running_model
    await running_model.settled()
    running_model.check()


Make = Callable[[str], OpenAIProvider]


@pytest.fixture
async def make(model: DemoModel) -> AsyncIterator[Make]:
    """An adapter by its name: `responses`, or the profile of a server that speaks Chat Completions."""
    made: list[OpenAIProvider] = []

    def make(name: str) -> OpenAIProvider:
        made.append(provider_of(name, model))
        return made[-1]

    yield make
    for provider in made:
        await provider.aclose()


@pytest.fixture(params=["responses", "openai"])
def provider(request: pytest.FixtureRequest, make: Make) -> OpenAIProvider:
    return make(request.param)


def provider_of(name: str, model: DemoModel) -> OpenAIProvider:
    if name == "responses":
        return openai_responses(Server("openai", PROFILES["openai"], KEY, model.openai_url))
    address = model.openai_url if name == "openai" else f"{model.base_url}/{name}/v1"
    return openai_chat(Server(name, PROFILES[name], KEY, address))


def typed(text: str) -> PromptMessage:
    return PromptMessage("user", [{"type": "text", "text": text}])


def script(*steps: dict[str, Any]) -> str:
    return script_block(*steps)


def ask(*messages: PromptMessage, **settings: Any) -> ModelRequest:
    return replace(ModelRequest("demo-1", ["Be brief."], messages, [CLOCK], 4000), **settings)


async def answer(provider: OpenAIProvider, request: ModelRequest) -> list[ModelEvent]:
    async with provider.stream(request) as events:
        return [event async for event in events]


@dataclass
class Conversation:
    """A chat with a model, told as the product tells it."""

    provider: OpenAIProvider
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    messages: list[PromptMessage] = field(default_factory=list[PromptMessage])

    def say(self, text: str) -> None:
        self.messages.append(typed(text))

    async def listen(self) -> tuple[Kept, Finish]:
        """Have the model answer, and take its answer into the conversation."""
        builder = AnswerBuilder(lambda: NOON)
        for event in await answer(self.provider, ask(*self.messages, **self.settings)):
            builder.add(event)
        kept = builder.finished()
        assert builder.finish
        self.messages.append(PromptMessage("assistant", kept.parts))
        return kept, builder.finish

    def hand_in(self, kept: Kept, result: Any = "12:34", **fields: Any) -> None:
        """Results for all calls."""
        for call in kept.calls:
            part = {"type": "tool-result", "tool_call_id": call.id, "tool_name": call.name, "result": result}
            self.messages.append(PromptMessage("tool", [part | fields]))
