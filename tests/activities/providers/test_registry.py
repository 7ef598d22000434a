"""From an endpoint as it is configured to a client that can call it."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from activities.providers.demo import DemoModel
from activities.providers.protocol import Finish, ModelRequest, PromptMessage
from activities.providers.registry import FACTORIES, Endpoint
from models.providers import Dialect, ProviderSettings, ProviderType
from tests.activities.providers.request_rules.checked import CheckedModel


@pytest.fixture
async def model() -> AsyncIterator[DemoModel]:
    async with CheckedModel() as model:
        yield model
        model.check()


ENDPOINTS = [
    (Dialect.ANTHROPIC, ProviderType.ANTHROPIC, ""),
    (Dialect.OPENAI_RESPONSES, ProviderType.OPENAI, "/v1"),
    (Dialect.OPENAI_CHAT, ProviderType.OPENAI, "/v1"),
    (Dialect.OPENAI_CHAT, ProviderType.AZURE, "/azure/v1"),
    (Dialect.OPENAI_CHAT, ProviderType.GOOGLE, "/google/v1"),
    (Dialect.OPENAI_CHAT, ProviderType.OPENAI_COMPATIBLE, "/vllm/v1"),
    (Dialect.OPENAI_CHAT, ProviderType.OPENROUTER, "/openrouter/v1"),
    (Dialect.OPENAI_CHAT, ProviderType.VERCEL, "/vercel/v1"),
]


@pytest.mark.parametrize(("dialect", "provider_type", "path"), ENDPOINTS)
async def test_each_interface_answers(
    model: DemoModel, dialect: Dialect, provider_type: ProviderType, path: str
) -> None:
    settings = ProviderSettings(organization="org-1", api_version="v1")
    key = SecretStr("sk-demo")
    client = FACTORIES[dialect](Endpoint(provider_type, provider_type, model.base_url + path, key, settings))
    question = PromptMessage("user", [{"type": "text", "text": "hello"}])
    async with client.stream(ModelRequest("demo", ["Be brief."], [question], [], 100)) as events:
        last = [event async for event in events][-1]
    await client.aclose()
    assert isinstance(last, Finish)
    assert client.label == provider_type
    (request,) = model.requests
    assert request.outcome == "completed"
    if dialect is not Dialect.ANTHROPIC:
        assert request.headers["openai-organization"] == "org-1"
        assert request.query == "api-version=v1"


async def test_a_server_that_wants_no_key_gets_none_of_ours(model: DemoModel) -> None:
    endpoint = Endpoint(
        ProviderType.OPENAI_COMPATIBLE, "openai-compat", f"{model.base_url}/vllm/v1", None, ProviderSettings()
    )
    client = FACTORIES[Dialect.OPENAI_CHAT](endpoint)
    question = PromptMessage("user", [{"type": "text", "text": "hello"}])
    async with client.stream(ModelRequest("demo", [], [question], [], 100)) as events:
        assert [event async for event in events]
    await client.aclose()
