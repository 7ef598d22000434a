"""A neutral request in the form of the Messages API. Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from activities.providers.anthropic.signing import thinking_block
from activities.providers.protocol import ModelRequest, PromptMessage, ToolChoice, ToolSpec

MIN_THINKING_BUDGET_TOKENS = 1024
CACHED_MESSAGES = 2

Block = dict[str, Any]

_UNSAFE_IN_ID = re.compile(r"[^A-Za-z0-9_-]")
_PICTURES = ("image/gif", "image/jpeg", "image/png", "image/webp")
_EPHEMERAL = {"type": "ephemeral"}
_THINKING = ("thinking", "redacted_thinking")
_WIRE_ROLES = {"user": "user", "tool": "user", "assistant": "assistant"}


def wire_request(request: ModelRequest, vendor: str) -> dict[str, Any]:
    """The body of `POST /v1/messages`, without `stream`.

    Nothing of `request` is changed or shared in a way that marks could leak into it.

    Args:
        vendor: label under which signatures of this endpoint are stored.

    Raises:
        ValueError: a message holds a role or a part that has no wire form.
    """
    system = [_text(text) for text in request.system if text.strip()]
    messages = _wire_messages(request.messages, vendor)
    _mark(system[-1:])
    for message in messages[-CACHED_MESSAGES:]:
        _mark([block for block in message["content"] if block["type"] not in _THINKING][-1:])
    body: dict[str, Any] = {"model": request.model, "messages": messages, **_limits(request)}
    if system:
        body["system"] = system
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        choice = _tool_choice(request.tool_choice)
        if choice is not None:
            body["tool_choice"] = choice
    return body


def wire_id(call_id: str) -> str:
    """A tool call id in the alphabet that the API accepts; other vendors use more."""
    return _UNSAFE_IN_ID.sub("_", call_id) or "_"


def _limits(request: ModelRequest) -> dict[str, Any]:
    """Output and thinking budget. The first must exceed the second: then the answer's room comes on top."""
    if request.thinking_budget_tokens is None:
        return {"max_tokens": request.max_output_tokens}
    budget = max(request.thinking_budget_tokens, MIN_THINKING_BUDGET_TOKENS)
    room = request.max_output_tokens
    return {
        "max_tokens": room if room > budget else room + budget,
        "thinking": {"type": "enabled", "budget_tokens": budget},
    }


def _tool_choice(choice: ToolChoice | str) -> dict[str, Any] | None:
    match choice:
        case ToolChoice.AUTO:
            return None
        case ToolChoice.NONE:
            return {"type": "none"}
        case ToolChoice.REQUIRED:
            return {"type": "any"}
        case name:
            return {"type": "tool", "name": name}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    schema = {key: value for key, value in tool.schema.items() if key != "required" or value}
    return {"name": tool.name, "description": tool.description, "input_schema": schema}


def _wire_messages(messages: Sequence[PromptMessage], vendor: str) -> list[dict[str, Any]]:
    """Messages with neighbours of one role made one, and those left without content dropped."""
    merged: list[dict[str, Any]] = []
    for message in messages:
        role = _WIRE_ROLES.get(message.role)
        if role is None:
            raise ValueError(f"a message of role {message.role!r} has no wire form")
        blocks = list(_blocks(message.parts, vendor))
        if not blocks:
            continue
        if merged and merged[-1]["role"] == role:
            merged[-1]["content"] += blocks
        else:
            merged.append({"role": role, "content": blocks})
    for message in merged:
        # Stable: results first, each kind in its own order.
        message["content"].sort(key=_is_no_result)
    return merged


def _is_no_result(block: Block) -> bool:
    return block["type"] != "tool_result"


def _blocks(parts: Iterable[dict[str, Any]], vendor: str) -> Iterable[Block]:
    for part in parts:
        block = _block(part, vendor)
        if block is not None:
            yield block


def _block(part: dict[str, Any], vendor: str) -> Block | None:
    """The wire form of a stored part; None if there is nothing to send."""
    match part["type"]:
        case "text":
            text: str = part["text"]
            return _text(text) if text.strip() else None
        case "reasoning":
            return thinking_block(vendor, part)
        case "tool-call":
            return {
                "type": "tool_use",
                "id": wire_id(part["tool_call_id"]),
                "name": part["tool_name"],
                "input": _input(part.get("args")),
            }
        case "tool-result":
            return _result(part)
        case "file-reference":
            return _text(_file_text(part))
        case other:
            raise ValueError(f"a part of type {other!r} has no wire form")


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _input(args: Any) -> dict[str, Any]:
    """Arguments as an object, which the API insists on; those of an interrupted call may be anything."""
    if args is None:
        return {}
    return args if isinstance(args, dict) else {"_raw": args}  # pyright: ignore[reportUnknownVariableType]


def _result(part: dict[str, Any]) -> Block:
    result = part.get("result")
    text = result if isinstance(result, str) else orjson.dumps(result).decode()
    block: Block = {"type": "tool_result", "tool_use_id": wire_id(part["tool_call_id"])}
    if part.get("is_media"):
        return block | {"content": _media(part["result"])}
    if part.get("is_error"):
        # The API refuses an error without content.
        return block | {"content": text if text.strip() else "The tool failed.", "is_error": True}
    return block | {"content": text} if text.strip() else block


def _media(result: dict[str, str]) -> list[Block]:
    """A result that is no text: the picture itself, or what it is where the vendor takes no such file."""
    text = result["text"]
    if result["media_type"] in _PICTURES:
        source = {"type": "base64", "media_type": result["media_type"], "data": result["data"]}
        picture: Block = {"type": "image", "source": source}
        return [_text(text), picture] if text.strip() else [picture]
    return [_text(f"{text}\n[a file of type {result['media_type']} that cannot be shown]".lstrip())]


def _file_text(part: dict[str, Any]) -> str:
    first, last = part.get("start_line") or 0, part.get("end_line") or 0
    lines = f", lines {first}-{last}" if last > first > 0 else f", line {first}" if first > 0 else ""
    content: str = part.get("content") or ""
    head = f"[file: {part['file_name']}{lines}]"
    return f"{head}\n{content}" if content.strip() else head


def _mark(last_block: Sequence[Block]) -> None:
    """Set a cache point on the block, if there is one: all that is before it is cached with it."""
    for block in last_block:
        block["cache_control"] = dict(_EPHEMERAL)
