"""A history in the form of the Messages API. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from activities.prompt.portable import Taker, portable
from activities.providers.anthropic.kept import block_of, citations_of, thinking_block
from activities.providers.anthropic.pairs import repaired
from activities.providers.protocol import PromptMessage

Block = dict[str, Any]
StoredPart = dict[str, Any]

PICTURES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
PDF = "application/pdf"

_UNSAFE_IN_ID = re.compile(r"[^A-Za-z0-9_-]")
_WIRE_ROLES = {"user": "user", "tool": "user", "assistant": "assistant"}


def wire_messages(
    messages: Iterable[PromptMessage], namespace: str, *, provider_calls: bool, sends_reasoning: bool
) -> list[dict[str, Any]]:
    """Messages with neighbours of one role made one, and those left without content dropped.

    Args:
        namespace: name under which the vendor's metadata is kept.
        provider_calls: the endpoint takes calls back that it ran itself.
        sends_reasoning: give reasoning back to the vendor.

    Raises:
        ValueError: a message holds a role or a part that has no wire form.
    """
    taker = Taker(namespace, PICTURES | {PDF}, PICTURES, provider_calls)
    turns = _by_role(portable(messages, taker), sends_reasoning)
    turns = _by_role(repaired(turns, namespace, phase="pre_request"), sends_reasoning)
    ids = _WireIds()
    return [{"role": turn.role, "content": _content(turn, namespace, ids)} for turn in turns]


def wire_id(call_id: str) -> str:
    """A tool call id in the alphabet that the API accepts; other vendors use more."""
    return _UNSAFE_IN_ID.sub("_", call_id) or "_"


def _by_role(messages: Iterable[PromptMessage], sends_reasoning: bool) -> list[PromptMessage]:
    turns: list[PromptMessage] = []
    for message in messages:
        role = _WIRE_ROLES.get(message.role)
        if role is None:
            raise ValueError(f"a message of role {message.role!r} has no wire form")
        parts = [part for part in message.parts if sends_reasoning or part["type"] != "reasoning"]
        if not parts:
            continue
        if turns and turns[-1].role == role:
            turns[-1] = PromptMessage(role, [*turns[-1].parts, *parts])
        else:
            turns.append(PromptMessage(role, parts))
    return turns


@dataclass(slots=True)
class _WireIds:
    """Ids of calls, one for each: other vendors give the same again, here it would be refused."""

    given: set[str] = field(default_factory=set[str])
    _last: dict[str, str] = field(default_factory=dict[str, str])

    def of_call(self, call_id: str) -> str:
        plain = candidate = wire_id(call_id)
        number = 1
        while candidate in self.given:
            number += 1
            candidate = f"{plain}_{number}"
        self.given.add(candidate)
        self._last[call_id] = candidate
        return candidate

    def of_result(self, call_id: str) -> str:
        return self._last.get(call_id) or wire_id(call_id)


def _content(turn: PromptMessage, namespace: str, ids: _WireIds) -> list[Block]:
    blocks = [_block(part, namespace, ids) for part in turn.parts]
    # Stable: results first, each kind in its own order.
    return sorted(blocks, key=_is_no_result) if turn.role == "user" else blocks


def _is_no_result(block: Block) -> bool:
    return block["type"] != "tool_result"


def _block(part: StoredPart, namespace: str, ids: _WireIds) -> Block:
    """The wire form of a part that `portable` let pass.

    Raises:
        ValueError: it has none.
    """
    match part:
        case {"type": "text", "text": text}:
            cited = citations_of(namespace, part)
            return _text(text) | ({"citations": cited} if cited else {})
        case {"type": "tool-call", "provider_executed": True}:
            named = {"name": part["tool_name"], "input": _input(part.get("args"))}
            return block_of(namespace, part) | {"id": part["tool_call_id"], **named}
        case {"type": "tool-call"}:
            called = {"name": part["tool_name"], "input": _input(part.get("args"))}
            own = {"type": "tool_use", "id": ids.of_call(part["tool_call_id"]), **called}
            return block_of(namespace, part) | own
        case {"type": "tool-result", "provider_executed": True} | {"type": "opaque"}:
            return block_of(namespace, part)
        case {"type": "tool-result"}:
            return _result(part, ids.of_result(part["tool_call_id"]))
        case {"type": "file"}:
            return _file(part)
        case {"type": "reasoning"} if block := thinking_block(namespace, part):
            return block
        case _:
            raise ValueError(f"a part of type {part['type']!r} has no wire form")


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _input(args: Any) -> dict[str, Any]:
    """Arguments as an object, which the API insists on; those of an interrupted call may be anything."""
    if args is None:
        return {}
    return args if isinstance(args, dict) else {"_raw": args}  # pyright: ignore[reportUnknownVariableType]


def _result(part: StoredPart, call_id: str) -> Block:
    result = part.get("result")
    text = result if isinstance(result, str) else orjson.dumps(result).decode()
    block: Block = {"type": "tool_result", "tool_use_id": call_id}
    if part.get("is_media"):
        return block | {"content": _media(part["result"])}
    if part.get("is_error"):
        # The API refuses an error without content.
        return block | {"content": text if text.strip() else "The tool failed.", "is_error": True}
    return block | {"content": text} if text.strip() else block


def _media(result: dict[str, str]) -> list[Block]:
    picture: Block = {"type": "image", "source": _base64(result["media_type"], result["data"])}
    return [_text(result["text"]), picture] if result["text"].strip() else [picture]


def _file(part: StoredPart) -> Block:
    if part["media_type"] != PDF:
        return {"type": "image", "source": _base64(part["media_type"], part["data"])}
    document: Block = {"type": "document", "source": _base64(PDF, part["data"])}
    return document | ({"title": part["name"][:255]} if part.get("name") else {})


def _base64(media_type: str, data: str) -> dict[str, str]:
    return {"type": "base64", "media_type": media_type, "data": data}
