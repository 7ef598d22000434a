"""The adapters there are: for each wire interface, how to make a client of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import SecretStr

from activities.providers.anthropic import AnthropicProvider
from activities.providers.anthropic.bedrock import BedrockProvider
from activities.providers.anthropic.vertex import VertexProvider
from activities.providers.failures import provider_failure
from activities.providers.openai import Server, openai_chat, openai_responses, profile_for
from activities.providers.protocol import ModelCallError, ModelProvider
from models.failures import FailureKind
from models.providers import Dialect, Preset, ProviderSettings, ProviderType


@dataclass(frozen=True, slots=True)
class Endpoint:
    """All that a client is made of. Two that are equal need one client only.

    Attributes:
        label: short name in metrics and failures.
        account: which provider it is, of several of one type.
        base_url: None for the vendor's own address.
        api_key: None where the endpoint finds credentials by itself or wants none.
    """

    type: ProviderType
    label: str
    base_url: str | None
    api_key: SecretStr | None
    settings: ProviderSettings
    account: str = ""

    @property
    def key(self) -> str:
        """The key as text; empty without one."""
        return self.api_key.get_secret_value() if self.api_key else ""

    def unusable(self, detail: str) -> ModelCallError:
        """The failure of an endpoint of which no client can be made. `detail` is shown."""
        return ModelCallError(provider_failure(FailureKind.CONFIG, self.label, detail=detail))


Factory = Callable[[Endpoint], ModelProvider]
"""Makes a client and sends nothing. Raises `ModelCallError` where no call could work."""


def _anthropic(endpoint: Endpoint) -> ModelProvider:
    # what the demo model signs is worth nothing to the vendor, and the other way round
    namespace = Preset.DEMO if endpoint.label == Preset.DEMO else ProviderType.ANTHROPIC
    return AnthropicProvider(
        api_key=endpoint.key, base_url=endpoint.base_url, label=endpoint.label, namespace=namespace
    )


def _bedrock(endpoint: Endpoint) -> ModelProvider:
    return BedrockProvider(
        region=_needed(endpoint, endpoint.settings.region, "region"),
        profile=endpoint.settings.profile,
        base_url=endpoint.base_url,
        label=endpoint.label,
        **_aws_credentials(endpoint),
    )


def _aws_credentials(endpoint: Endpoint) -> dict[str, str]:
    """The stored key: an API key of Bedrock, or a JSON object with an access key and its secret. Without one
    the machine's own credentials are used."""
    if not endpoint.key.lstrip().startswith("{"):
        return {"api_key": endpoint.key} if endpoint.key else {}
    try:
        given: Any = json.loads(endpoint.key)
        stored = cast(dict[str, str], given)
        found = {"access_key": stored["access_key_id"], "secret_key": stored["secret_access_key"]}
    except (ValueError, KeyError):
        raise endpoint.unusable(
            "The key of a provider of type bedrock is an API key of Bedrock, or a JSON object with "
            "access_key_id and secret_access_key."
        ) from None
    token = stored.get("session_token")
    return found | ({"session_token": token} if token else {})


def _vertex(endpoint: Endpoint) -> ModelProvider:
    return VertexProvider(
        region=_needed(endpoint, endpoint.settings.region, "region"),
        project_id=_needed(endpoint, endpoint.settings.project, "project"),
        access_token=endpoint.key or None,
        base_url=endpoint.base_url,
        label=endpoint.label,
    )


def _needed(endpoint: Endpoint, value: str | None, setting: str) -> str:
    if value is None:
        raise endpoint.unusable(f"A provider of type {endpoint.type} needs the setting {setting}.")
    return value


def _server(endpoint: Endpoint) -> Server:
    return Server(
        endpoint.label,
        profile_for(endpoint.type, endpoint.base_url),
        endpoint.key,
        endpoint.base_url,
        endpoint.settings.organization,
        endpoint.settings.api_version,
        namespace=f"{endpoint.type}/{endpoint.account}" if endpoint.account else None,
    )


FACTORIES: Mapping[Dialect, Factory] = {
    Dialect.ANTHROPIC: _anthropic,
    Dialect.BEDROCK: _bedrock,
    Dialect.VERTEX: _vertex,
    Dialect.OPENAI_RESPONSES: lambda endpoint: openai_responses(_server(endpoint)),
    Dialect.OPENAI_CHAT: lambda endpoint: openai_chat(_server(endpoint)),
}
