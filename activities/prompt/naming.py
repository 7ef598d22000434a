"""Asking a model for a name: the request, and the name in its answer. Pure.

The name comes as the arguments of a tool that the model has to call: every vendor can be made to do that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from activities.providers.json_text import decode_json
from activities.providers.protocol import ModelRequest, PromptMessage, ToolSpec
from models.effort import Effort
from models.store.naming import Said

TITLE_TOOL = "name_chat"
LABEL_TOOL = "label_turn"

MAX_MESSAGE = 1000
MAX_ALL = 6000
"""Characters of one message, and of all, that a name is found from."""

ROOM_TO_REASON = 4096
"""Tokens on top for a model that is told to reason: with some vendors that counts as output."""

_TEMPLATES = Path(__file__).parent / "templates"

StoredPart = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A kind of name: the tool whose argument `field` is the name, and how long the answer may be."""

    instruction: str
    tool: ToolSpec
    field: str
    max_output_tokens: int


def _wanted(template: str, tool: str, field: str, description: str, max_output_tokens: int) -> Wanted:
    properties = {field: {"type": "string", "description": description}}
    schema = {"type": "object", "properties": properties, "required": [field], "additionalProperties": False}
    instruction = (_TEMPLATES / template).read_text().strip()
    return Wanted(instruction, ToolSpec(tool, f"Give the {field}.", schema), field, max_output_tokens)


TITLE = _wanted("title.md", TITLE_TOOL, "title", "2 to 8 words", 256)
LABEL = _wanted("label.md", LABEL_TOOL, "label", "2 to 5 words", 64)


def naming_request(
    wanted: Wanted,
    model: str,
    conversation: Sequence[Said],
    headers: Mapping[str, str],
    *,
    effort: Effort | None = None,
) -> ModelRequest:
    """The request for a name of this conversation, which is clipped."""
    told: list[str] = []
    room = MAX_ALL
    for said in conversation:
        text = _clipped(said.text, min(MAX_MESSAGE, room))
        room -= len(text)
        if text:
            told.append(f"<{said.role}>\n{text}\n</{said.role}>")
    prompt = "\n\n".join(told)
    return ModelRequest(
        model=model,
        system=[wanted.instruction],
        messages=[PromptMessage("user", [{"type": "text", "text": prompt}])],
        tools=[wanted.tool],
        max_output_tokens=wanted.max_output_tokens + (ROOM_TO_REASON if effort else 0),
        reasoning_effort=effort,
        tool_choice=wanted.tool.name,
        headers=dict(headers),
    )


def name_in(wanted: Wanted, parts: Sequence[StoredPart]) -> object:
    """What an answer gives as the name, as the model wrote it; None where it gives none.

    Servers that pass over the wish for a tool are understood where they answer with the JSON alone.
    """
    for part in parts:
        if part["type"] == "tool-call" and part["tool_name"] == wanted.tool.name:
            return _field(part.get("args"), wanted.field)
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    try:
        return _field(decode_json(text), wanted.field)
    except ValueError:
        return None


def _field(value: object, name: str) -> object:
    return cast(dict[str, object], value).get(name) if isinstance(value, dict) else None


def _clipped(text: str, length: int) -> str:
    stripped = text.strip()
    return stripped if len(stripped) <= length else stripped[: max(0, length - 1)] + "…" * (length > 0)
