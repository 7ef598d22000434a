"""The adapters there are: for each wire interface, how to make a client of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from activities.providers.anthropic import AnthropicProvider
from activities.providers.protocol import ModelProvider
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


FACTORIES: Mapping[Dialect, Factory] = {Dialect.ANTHROPIC: _anthropic}
