"""The parts a message is made of: one flat JSON object each, told apart by `type`.

The same layout is stored, streamed and sent to clients (spec api.md 3.3), so it carries a content
version. `provider_metadata` is the exception: it belongs to the vendor, is stored so that what the vendor
signed goes back byte for byte, and leaves the server on no path (`public_parts`).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

CONTENT_VERSION = 1
"""Version of the part layout, stored beside every message. Fields that may be absent, and new types of
parts, do not change it: rows of before stay as readable as they were."""

ProviderMetadata = dict[str, JsonValue]
"""What a vendor wants back with a part, under the vendor's name: `{"anthropic": {"signature": "..."}}`.
Whoever finds none under its own name has a part that another vendor made, or nobody signed."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class TextPart(_Part):
    """`provider_metadata` holds citations, or what role the vendor gave the text."""

    type: Literal["text"] = "text"
    text: str
    provider_metadata: ProviderMetadata | None = None


class ReasoningPart(_Part):
    """`text` is empty for reasoning that the vendor sends encrypted only; the metadata then is the part."""

    type: Literal["reasoning"] = "reasoning"
    text: str
    created_at: datetime | None = None
    completed_at: datetime | None = None
    provider_metadata: ProviderMetadata | None = None


class ToolCallPart(_Part):
    """A call the model asked for. `args` is the complete input; while it is still being written the
    stream carries `args_delta` instead. With `provider_executed` the vendor runs it, and we never do.
    `parsed_commands`: what a call of the shell tool runs, for people."""

    type: Literal["tool-call"] = "tool-call"
    tool_call_id: str
    tool_name: str
    args: JsonValue | None = None
    args_delta: str | None = None
    parsed_commands: list[list[str]] | None = None
    provider_executed: bool | None = None
    created_at: datetime | None = None
    provider_metadata: ProviderMetadata | None = None


class ToolResultPart(_Part):
    """What became of a call. With `is_media`, `result` holds `media_type`, `data` in base64, and `text`.

    A `provider_executed` one stands in the assistant's message, behind its call. Its `result` is what people
    may see of it; what the vendor wants back is in the metadata, whole.
    """

    type: Literal["tool-result"] = "tool-result"
    tool_call_id: str
    tool_name: str
    result: JsonValue
    is_error: bool | None = None
    is_media: bool | None = None
    provider_executed: bool | None = None
    created_at: datetime | None = None
    provider_metadata: ProviderMetadata | None = None


class SourcePart(_Part):
    """Where the model found something. For people; never sent back to a model."""

    type: Literal["source"] = "source"
    source_id: str | None = None
    url: str
    title: str | None = None


class FilePart(_Part):
    """A file, by its id or with its content: `data` is base64 and absent where `file_id` is set. In an answer
    of the model: one that a tool has attached, at `created_at`."""

    type: Literal["file"] = "file"
    file_id: str | None = None
    media_type: str
    name: str | None = None
    data: str | None = None
    created_at: datetime | None = None


class OpaquePart(_Part):
    """A block of a type that this release does not know, kept so that its vendor gets it back in its place.
    No client is shown it."""

    type: Literal["opaque"] = "opaque"
    provider_metadata: ProviderMetadata


class FileReferencePart(_Part):
    """An inline snippet of a file the user pointed at; nothing is uploaded."""

    type: Literal["file-reference"] = "file-reference"
    file_name: str
    start_line: int = 0
    end_line: int = 0
    content: str = ""


Part = Annotated[
    TextPart
    | ReasoningPart
    | ToolCallPart
    | ToolResultPart
    | SourcePart
    | FilePart
    | FileReferencePart
    | OpaquePart,
    Field(discriminator="type"),
]

PARTS: TypeAdapter[list[Part]] = TypeAdapter(list[Part])


def dump_part(part: Part) -> dict[str, Any]:
    """The stored form of a part: JSON types only, absent fields left out."""
    stored = part.model_dump(mode="json", exclude_none=True)
    if isinstance(part, ToolResultPart):
        stored.setdefault("result", None)  # a tool may answer null, which is not the same as nothing
    return stored


def public_parts(stored: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stored parts as clients may see them: without what belongs to the vendor."""
    return [public_part(part) for part in stored if part["type"] != OPAQUE]


def public_part(stored: dict[str, Any]) -> dict[str, Any]:
    """One part, which must not be opaque, as clients may see it."""
    if "provider_metadata" not in stored:
        return stored
    return {key: value for key, value in stored.items() if key != "provider_metadata"}


OPAQUE = "opaque"
