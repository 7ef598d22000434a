"""Where the servers of each type of provider are, and in which header they want their key. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.providers import ProviderType

ANTHROPIC_URL = "https://api.anthropic.com"
"""Without `/v1`, which Anthropic's routes begin with."""


@dataclass(frozen=True, slots=True)
class Place:
    """The usual place of servers that speak OpenAI's protocols.

    Attributes:
        base_url: the vendor's own address, with what OpenAI calls `/v1`; None where there is none.
        path: appended to an address without a path of its own.
        key_header: header in which the key is sent, beside `Authorization`.
    """

    base_url: str | None = None
    path: str = ""
    key_header: str | None = None

    def address(self, given: str | None) -> str | None:
        """The given address, with the usual path where it has none; without one, the vendor's own."""
        if given is None:
            return self.base_url
        trimmed = given.rstrip("/")
        has_path = "/" in trimmed.partition("://")[2]
        return trimmed if has_path else trimmed + self.path


OPENAI_PLACES: Mapping[ProviderType, Place] = MappingProxyType(
    {
        ProviderType.AZURE: Place(path="/openai/v1", key_header="api-key"),
        ProviderType.GOOGLE: Place("https://generativelanguage.googleapis.com/v1beta/openai"),
        ProviderType.OPENAI: Place("https://api.openai.com/v1"),
        ProviderType.OPENAI_COMPATIBLE: Place(),
        ProviderType.OPENROUTER: Place("https://openrouter.ai/api/v1"),
        ProviderType.VERCEL: Place("https://ai-gateway.vercel.sh/v1"),
    }
)
"""The types of provider that speak OpenAI's protocols."""
