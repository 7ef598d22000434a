"""The parts a message is made of: one flat JSON object each, told apart by `type`.

The same layout is stored, streamed and sent to clients (spec api.md 3.3), so it carries a content
version. `provider_metadata` is the exception: it belongs to the vendor, is stored so that signed blocks
go back byte for byte, and leaves the server on no path (`public_part`).
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

CONTENT_VERSION = 1
"""Version of the part layout, stored beside every message."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class TextPart(_Part):
    type: Literal["text"] = "text"
    text: str


class ReasoningPart(_Part):
    type: Literal["reasoning"] = "reasoning"
    text: str
    created_at: datetime | None = None
    completed_at: datetime | None = None
    provider_metadata: dict[str, JsonValue] | None = None


class ToolCallPart(_Part):
    """A call the model asked for. `args` is the complete input; while it is still being written the
    stream carries `args_delta` instead."""

    type: Literal["tool-call"] = "tool-call"
    tool_call_id: str
    tool_name: str
    args: JsonValue | None = None
    args_delta: str | None = None
    created_at: datetime | None = None


class ToolResultPart(_Part):
    """What became of a call. With `is_media`, `result` holds `media_type`, `data` in base64, and `text`."""

    type: Literal["tool-result"] = "tool-result"
    tool_call_id: str
    tool_name: str
    result: JsonValue
    is_error: bool | None = None
    is_media: bool | None = None
    created_at: datetime | None = None


class FileReferencePart(_Part):
    """An inline snippet of a file the user pointed at; nothing is uploaded."""

    type: Literal["file-reference"] = "file-reference"
    file_name: str
    start_line: int = 0
    end_line: int = 0
    content: str = ""


Part = Annotated[
    TextPart | ReasoningPart | ToolCallPart | ToolResultPart | FileReferencePart, Field(discriminator="type")
]

PARTS: TypeAdapter[list[Part]] = TypeAdapter(list[Part])


def dump_part(part: Part) -> dict[str, Any]:
    """The stored form of a part: JSON types only, absent fields left out."""
    stored = part.model_dump(mode="json", exclude_none=True)
    if isinstance(part, ToolResultPart):
        stored.setdefault("result", None)  # a tool may answer null, which is not the same as nothing
    return stored


def public_part(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored part as clients may see it: without what belongs to the vendor."""
    if "provider_metadata" not in stored:
        return stored
    return {key: value for key, value in stored.items() if key != "provider_metadata"}
