"""The neutral protocol between the loop and a model vendor: a request, a stream of events, a failure.

An adapter turns `ModelRequest` into the vendor's wire form and the vendor's stream into `ModelEvent`s.
Blocks are numbered in the order the vendor opened them; events of several blocks may interleave.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from models.failures import Failure


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as it is offered to the model. `schema` is a JSON schema of the input object."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message of a prompt. Tool results are in messages of role `tool`; `parts` are stored parts."""

    role: str
    parts: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One model call. `headers` identify chat and owner to gateways on the way. Tools are sent also where
    `may_call_tools` is off, because the vendor's cache knows the prompt with them."""

    model: str
    system: Sequence[str]
    messages: Sequence[PromptMessage]
    tools: Sequence[ToolSpec]
    max_output_tokens: int
    thinking_budget_tokens: int | None = None
    may_call_tools: bool = True
    headers: dict[str, str] = field(default_factory=dict[str, str])


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool-calls"
    CONTENT_FILTER = "content-filter"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; `input_tokens` does not include cached ones. Zero means none or not reported."""

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_read_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.cache_creation_tokens + self.cache_read_tokens

    def stored(self) -> dict[str, int]:
        """The form kept on the message: zero is left out (spec api.md 3.3)."""
        counts = {**asdict(self), "total_tokens": self.total_tokens}
        return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True, slots=True)
class TextDelta:
    block: int
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    block: int
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningMetadata:
    """What the vendor wants back with this block, for example its signature. Replaces key by key."""

    block: int
    metadata: dict[str, Any]


_NOT_IN_IDENTIFIERS = re.compile(r"[^A-Za-z0-9_.-]")
_MAX_IDENTIFIER = 128


def identifier(written: str) -> str:
    """A name or id of a tool call, fit to be a key and a label: a model may write anything."""
    return _NOT_IN_IDENTIFIERS.sub("_", written)[:_MAX_IDENTIFIER] or "unknown"


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    block: int
    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the JSON text of the arguments."""

    block: int
    json_text: str


@dataclass(frozen=True, slots=True)
class BlockEnd:
    block: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The terminal event: the answer is whole. A stream without it raises.

    `metadata` is what the vendor says about the call as a whole, in its own form.
    """

    reason: FinishReason
    usage: Usage
    response_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)


ModelEvent = (
    TextDelta | ReasoningDelta | ReasoningMetadata | ToolCallStart | ToolCallDelta | BlockEnd | Finish
)


class ModelCallError(Exception):
    """A model call failed. The text holds nothing a user or a vendor wrote."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"model call failed: {failure.kind}")
        self.failure = failure


class ModelProvider(Protocol):
    """One endpoint of a vendor, with its key."""

    @property
    def label(self) -> str:
        """Short name for metrics and failures, for example `anthropic`."""
        ...

    def stream(self, request: ModelRequest) -> AbstractAsyncContextManager[AsyncIterator[ModelEvent]]:
        """Send a request and read its answer.

        Entering sends it; leaving closes the connection, whatever is left unread.

        Raises:
            ModelCallError: on entering or while iterating, whatever went wrong; a stream that ends
                without `Finish` counts. Vendor SDK retries are off.
        """
        ...

    async def aclose(self) -> None: ...
