"""Which protocols pass through the gateway, and which of their routes."""

from dataclasses import dataclass
from enum import StrEnum

from models.addresses import OPENAI_PLACES
from models.providers import ProviderType


class Wire(StrEnum):
    """Whose protocol it is: how errors look, how answers are read, where the key goes."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"


def wire_of(provider: ProviderType) -> Wire | None:
    """The protocol of a type of provider; None: its requests have to be signed, they cannot pass through."""
    if provider is ProviderType.ANTHROPIC:
        return Wire.ANTHROPIC
    return Wire.OPENAI if provider in OPENAI_PLACES else None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of a vendor.

    Attributes:
        name: in records and metrics.
        wire: the protocol that it belongs to; None: both have it.
        path: below `/v1`.
        recorded: it makes a model answer, which costs something.
    """

    name: str
    wire: Wire | None
    path: str
    recorded: bool = True


MESSAGES = Endpoint("messages", Wire.ANTHROPIC, "/messages")
COUNT_TOKENS = Endpoint("count_tokens", Wire.ANTHROPIC, "/messages/count_tokens", recorded=False)
RESPONSES = Endpoint("responses", Wire.OPENAI, "/responses")
CHAT_COMPLETIONS = Endpoint("chat_completions", Wire.OPENAI, "/chat/completions")
MODELS = Endpoint("models", None, "/models", recorded=False)


def wire_of_request(path: str, *, says_version: bool) -> Wire:
    """The protocol that a caller speaks, as far as the request alone can tell.

    Args:
        says_version: it has the header `anthropic-version`, as all of Anthropic's clients send it.
    """
    return Wire.ANTHROPIC if says_version or "/v1/messages" in path else Wire.OPENAI
