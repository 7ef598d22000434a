"""What both interfaces say alike: schemas, arguments, results, addresses of data. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from activities.providers.json_text import as_object
from activities.providers.limits import File
from activities.providers.protocol import PromptMessage, ToolSpec

PICTURES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
DOCUMENT = "application/pdf"

WITHOUT_WORDS = "The tool failed."


def parameters(tool: ToolSpec) -> dict[str, Any]:
    """The schema of a tool: an object with properties, and `required` only where something is."""
    schema = {key: value for key, value in tool.schema.items() if key != "required" or value}
    return {"type": "object", "properties": {}, **schema}


def arguments(part: Mapping[str, Any]) -> str:
    """Arguments as the text of an object; those of an interrupted call may be anything."""
    args = part.get("args")
    if args is None:
        return "{}"
    return orjson.dumps(args if isinstance(args, dict) else {"_raw": args}).decode()


def result_text(part: Mapping[str, Any]) -> str:
    """What a tool has answered, in words. There is no field for an error, so it must say itself that it is
    one: an empty one is given words."""
    result = part.get("result")
    text: str = result if isinstance(result, str) else orjson.dumps(result).decode()
    return text if text.strip() or not part.get("is_error") else WITHOUT_WORDS


def files_of(messages: Iterable[PromptMessage]) -> list[File]:
    """The pictures and documents in messages, those in results among them."""
    parts = [part for message in messages for part in message.parts]
    media = [as_object(part.get("result")) for part in parts if part.get("is_media")]
    files = [part for part in parts if part["type"] == "file"] + media
    return [file for file in files if file.get("media_type") in PICTURES | {DOCUMENT}]


def data_url(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"


def own_metadata(part: Mapping[str, Any], label: str) -> dict[str, Any]:
    """What this endpoint wanted back with a part; empty if it did not make it."""
    return as_object(as_object(part.get("provider_metadata")).get(label))
