"""What a provider is: its type, its settings, whose key is used (spec chat-loop.md 3.1). Pure."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from models.model_options import CallConfig
from models.vendor_options import Options

MAX_KEY_BYTES = 10_240


class ProviderType(StrEnum):
    """The kinds of endpoint, in the order in which people see them."""

    ANTHROPIC = "anthropic"
    AZURE = "azure"
    BEDROCK = "bedrock"
    GOOGLE = "google"
    OPENAI = "openai"
    OPENAI_COMPATIBLE = "openai-compat"
    OPENROUTER = "openrouter"
    VERCEL = "vercel"
    VERTEX = "vertex"

    @property
    def display_name(self) -> str:
        return _DISPLAY_NAMES[self]

    @property
    def needs_key(self) -> bool:
        """Whether nothing works without a key of ours. The others find credentials in their surroundings, or
        may need none, like a server in the next room."""
        return self not in (ProviderType.BEDROCK, ProviderType.VERTEX, ProviderType.OPENAI_COMPATIBLE)

    @property
    def needs_base_url(self) -> bool:
        """Whether there is no address that is everybody's."""
        return self in (ProviderType.AZURE, ProviderType.OPENAI_COMPATIBLE)


_DISPLAY_NAMES = {
    ProviderType.ANTHROPIC: "Anthropic",
    ProviderType.AZURE: "Azure OpenAI",
    ProviderType.BEDROCK: "AWS Bedrock",
    ProviderType.GOOGLE: "Google",
    ProviderType.OPENAI: "OpenAI",
    ProviderType.OPENAI_COMPATIBLE: "OpenAI Compatible",
    ProviderType.OPENROUTER: "OpenRouter",
    ProviderType.VERCEL: "Vercel AI Gateway",
    ProviderType.VERTEX: "Google Vertex AI",
}


class Preset(StrEnum):
    """A provider that the environment sets up: what its row leaves open comes from the environment."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    DEMO = "demo"

    @property
    def provider_type(self) -> ProviderType:
        """The demo model speaks the protocol of Anthropic."""
        return ProviderType.OPENAI if self is Preset.OPENAI else ProviderType.ANTHROPIC


class Dialect(StrEnum):
    """A wire interface: what there is one adapter for."""

    ANTHROPIC = "anthropic"
    BEDROCK = "bedrock"
    VERTEX = "vertex"
    OPENAI_RESPONSES = "openai-responses"
    OPENAI_CHAT = "openai-chat"


def dialect_of(provider: ProviderType, config: CallConfig) -> Dialect:
    """The interface through which a model of such a provider is called."""
    match provider:
        case ProviderType.ANTHROPIC:
            return Dialect.ANTHROPIC
        case ProviderType.BEDROCK:
            return Dialect.BEDROCK
        case ProviderType.VERTEX:
            return Dialect.VERTEX
        case ProviderType.OPENAI | ProviderType.AZURE:
            chat = config.openai_config.use_responses_api is False
            return Dialect.OPENAI_CHAT if chat else Dialect.OPENAI_RESPONSES
        case _:
            return Dialect.OPENAI_CHAT


_Setting = Annotated[str, Field(min_length=1, max_length=200)]


class ProviderSettings(Options):
    """What an endpoint needs beside address and key.

    Attributes:
        region: of bedrock and vertex.
        project: of vertex.
        organization: of openai, sent along.
        api_version: of azure.
        profile: name of a profile of the machine's own credentials, for bedrock.
    """

    region: _Setting | None = None
    project: _Setting | None = None
    organization: _Setting | None = None
    api_version: _Setting | None = None
    profile: _Setting | None = None


class KeyPolicy(Options):
    """Whose key is used. `central`: the deployment's own."""

    central_api_key_enabled: bool = True
    allow_user_api_key: bool = False
    allow_central_api_key_fallback: bool = False


class KeyChoice(StrEnum):
    USER = "user"
    CENTRAL = "central"
    NONE = "none"
    """Nothing is sent: the endpoint finds credentials by itself or wants none."""
    MISSING = "missing"


def choose_key(policy: KeyPolicy, *, has_user_key: bool, has_central_key: bool, needs_key: bool) -> KeyChoice:
    """Whose key serves the calls for one user.

    Args:
        needs_key: the provider does not work without one, see `ProviderType.needs_key`.
    """
    if policy.allow_user_api_key and has_user_key:
        return KeyChoice.USER
    central = policy.central_api_key_enabled and (
        not policy.allow_user_api_key or policy.allow_central_api_key_fallback
    )
    if central and has_central_key:
        return KeyChoice.CENTRAL
    return KeyChoice.NONE if central and not needs_key else KeyChoice.MISSING
