"""The adapters there are: for each wire interface, how to make a client of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from activities.providers.anthropic import AnthropicProvider
from activities.providers.anthropic.bedrock import BedrockProvider
from activities.providers.anthropic.vertex import VertexProvider
from activities.providers.failures import provider_failure
from activities.providers.openai import Server, openai_chat, openai_responses, profile_for
from activities.providers.protocol import ModelCallError, ModelProvider
from models.failures import FailureKind
from models.providers import Dialect, ProviderSettings, ProviderType


@dataclass(frozen=True, slots=True)
class Endpoint:
    """All that a client is made of. Two that are equal need one client only.

    Attributes:
        label: short name in metrics and failures; signatures are stored under it.
        base_url: None for the vendor's own address.
        api_key: None where the endpoint finds credentials by itself or wants none.
    """

    type: ProviderType
    label: str
    base_url: str | None
    api_key: SecretStr | None
    settings: ProviderSettings


Factory = Callable[[Endpoint], ModelProvider]
"""Makes a client and sends nothing. Raises `ModelCallError` where no call could work."""


def _anthropic(endpoint: Endpoint) -> ModelProvider:
    key = endpoint.api_key.get_secret_value() if endpoint.api_key else ""
    return AnthropicProvider(api_key=key, base_url=endpoint.base_url, label=endpoint.label)


def _bedrock(endpoint: Endpoint) -> ModelProvider:
    return BedrockProvider(
        region=_needed(endpoint, endpoint.settings.region, "region"),
        profile=endpoint.settings.profile,
        api_key=endpoint.api_key.get_secret_value() if endpoint.api_key else None,
        base_url=endpoint.base_url,
        label=endpoint.label,
    )


def _vertex(endpoint: Endpoint) -> ModelProvider:
    return VertexProvider(
        region=_needed(endpoint, endpoint.settings.region, "region"),
        project_id=_needed(endpoint, endpoint.settings.project, "project"),
        access_token=endpoint.api_key.get_secret_value() if endpoint.api_key else None,
        base_url=endpoint.base_url,
        label=endpoint.label,
    )


def _needed(endpoint: Endpoint, value: str | None, setting: str) -> str:
    if value is not None:
        return value
    failure = provider_failure(FailureKind.CONFIG, endpoint.label)
    raise ModelCallError(failure.model_copy(update={"detail": f"The setting {setting!r} is missing."}))


def _openai_server(endpoint: Endpoint) -> Server:
    return Server(
        label=endpoint.label,
        profile=profile_for(endpoint.type, endpoint.base_url),
        api_key=endpoint.api_key.get_secret_value() if endpoint.api_key else "",
        base_url=endpoint.base_url,
        organization=endpoint.settings.organization,
        api_version=endpoint.settings.api_version,
    )


FACTORIES: Mapping[Dialect, Factory] = {
    Dialect.ANTHROPIC: _anthropic,
    Dialect.BEDROCK: _bedrock,
    Dialect.VERTEX: _vertex,
    Dialect.OPENAI_RESPONSES: lambda endpoint: openai_responses(_openai_server(endpoint)),
    Dialect.OPENAI_CHAT: lambda endpoint: openai_chat(_openai_server(endpoint)),
}
