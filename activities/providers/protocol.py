"""The neutral protocol between the loop and a model vendor: a request, a stream of events, a failure.

An adapter turns `ModelRequest` into the vendor's wire form and the vendor's stream into `ModelEvent`s.
Blocks are numbered in the order the vendor opened them; events of several blocks may interleave.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, cast

from models.effort import Effort
from models.failures import Failure
from models.model_options import CallConfig
from models.usage import Usage


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as it is offered to the model. `schema` is a JSON schema of the input object."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProviderTool:
    """A tool that the vendor runs. An adapter whose vendor has none of this kind leaves it out.

    Attributes:
        kind: `web_search`, `web_fetch`, `code_execution`, `file_search` or `mcp`.
        options: by `kind`; what a vendor does not know it is not sent.
            `web_search`: `allowed_domains`, `blocked_domains`, `max_uses`, `search_context_size`;
            `web_fetch`: `allowed_domains`, `blocked_domains`, `max_uses`, `max_content_tokens`, `citations`;
            `file_search`: `vector_store_ids`, `max_num_results`;
            `mcp`: `name`, `url`, `authorization_token`, `allowed_tools`.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def given(self, *names: str) -> dict[str, Any]:
        """Those of these options that are set, as JSON: with lists."""
        return {name: _listed(self.options[name]) for name in names if self.options.get(name)}


def _listed(value: Any) -> Any:
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message of a prompt. Tool results are in messages of role `tool`; `parts` are stored parts."""

    role: str
    parts: Sequence[dict[str, Any]]


class ToolChoice(StrEnum):
    """Whether the model may, must not or must call a tool."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One model call. What a vendor has no word for it is not sent.

    Attributes:
        tools: sent also where `tool_choice` is none, because the vendor's cache knows the prompt with them.
        provider_tools: run by the vendor.
        thinking_budget_tokens: room to reason in, for models that take a number of tokens and no effort.
        reasoning_effort: of this call, as it is in effect; None to leave it to the vendor.
        tool_choice: a plain text is the name of the one tool to be called.
        options: sampling, and a block of options per vendor. Its output limit and its range of efforts are
            in effect as `max_output_tokens` and `reasoning_effort`, and are not read here.
        context_limit: tokens that the model takes, as configured.
        previous_response_id: the vendor remembers the conversation up to this answer; `messages` follow it.
        headers: identify chat and owner to gateways on the way.
    """

    model: str
    system: Sequence[str]
    messages: Sequence[PromptMessage]
    tools: Sequence[ToolSpec]
    max_output_tokens: int
    thinking_budget_tokens: int | None = None
    reasoning_effort: Effort | None = None
    provider_tools: Sequence[ProviderTool] = ()
    tool_choice: ToolChoice | str = ToolChoice.AUTO
    options: CallConfig = CallConfig()
    context_limit: int | None = None
    previous_response_id: str | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


class FinishReason(StrEnum):
    """Why an answer ended. After `pause` the vendor wants the answer back as it is, to go on with it."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool-calls"
    PAUSE = "pause"
    CONTENT_FILTER = "content-filter"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text. The first one opens the block; an empty one does no more than that."""

    block: int
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More reasoning. The first one opens the block; an empty one does no more than that."""

    block: int
    text: str


@dataclass(frozen=True, slots=True)
class BlockMetadata:
    """What the vendor wants back with an open block, under the vendor's name: `{"anthropic": {...}}`.

    Replaces, under each name, key by key; an empty text takes nothing away that was there, so that no
    signature is lost to a vendor who repeats itself.
    """

    block: int
    metadata: Mapping[str, Mapping[str, Any]]


_NOT_IN_IDENTIFIERS = re.compile(r"[^A-Za-z0-9_.-]")
_MAX_IDENTIFIER = 128


def identifier(written: str) -> str:
    """A name or id of a tool call, fit to be a key and a label: a model may write anything."""
    return _NOT_IN_IDENTIFIERS.sub("_", written)[:_MAX_IDENTIFIER] or "unknown"


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    """A call begins. With `provider_executed` the vendor runs it, and its result comes in this stream or,
    behind a pause, in the next."""

    block: int
    call_id: str
    name: str
    provider_executed: bool = False


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the JSON text of the arguments."""

    block: int
    json_text: str


@dataclass(frozen=True, slots=True)
class ProviderResult:
    """The whole result of a provider-executed call: a block of its own.

    `result` is what people may see; what the vendor wants back is in `metadata`, under the vendor's name.
    """

    block: int
    call_id: str
    name: str
    result: Any
    is_error: bool = False
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Source:
    """Where the model found something. Stored behind the block that told of it, once per address."""

    block: int
    url: str
    title: str | None = None
    source_id: str | None = None


@dataclass(frozen=True, slots=True)
class OpaqueBlock:
    """A block of a type that is not known here: a block of its own, kept whole as `block` in `metadata`,
    with its `type`: `{"anthropic": {"block": {"type": "hologram", ...}}}`."""

    block: int
    metadata: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class BlockEnd:
    block: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The terminal event: the answer is whole. A stream without it raises.

    `metadata` is what the vendor says about the call as a whole, in its own form. `refusal` is what it says
    to people about an answer that it withheld.
    """

    reason: FinishReason
    usage: Usage
    response_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)
    refusal: str | None = None


ModelEvent = (
    TextDelta
    | ReasoningDelta
    | BlockMetadata
    | ToolCallStart
    | ToolCallDelta
    | ProviderResult
    | Source
    | OpaqueBlock
    | BlockEnd
    | Finish
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
