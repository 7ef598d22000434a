"""What the Messages API demands of a request. Knows nothing of the adapter, and trusts nothing it says."""

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any

Block = dict[str, Any]

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_MAX_MARKS = 4
_ASSISTANT_ONLY = ("thinking", "redacted_thinking", "tool_use")
_RUN_BY_VENDOR = ("server_tool_use", "mcp_tool_use")


def broken_rules(body: dict[str, Any]) -> list[str]:
    """What the vendor would refuse of this body, in words; nothing if it would take it."""
    messages: list[dict[str, Any]] = body.get("messages", [])
    return [
        *_order(messages),
        *_blocks(messages),
        *_our_pairs(messages),
        *_vendor_pairs(messages),
        *_marks(body),
        *_tools(body),
        *_settings(body),
    ]


def blocks_of(message: dict[str, Any]) -> list[Block]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _order(messages: list[dict[str, Any]]) -> Iterator[str]:
    if not messages:
        yield "there is no message"
        return
    if messages[0]["role"] != "user":
        yield "the first message is not the user's"
    for index, message in enumerate(messages):
        if message["role"] not in ("user", "assistant"):
            yield f"message {index} has the role {message['role']}"
        if not message["content"]:
            yield f"message {index} is empty"
        if index and message["role"] == messages[index - 1]["role"]:
            yield f"messages {index - 1} and {index} have one role"
    last = messages[-1]
    if last["role"] == "assistant" and not _is_paused(last):
        yield "the last message is the assistant's, who has not paused"


def _is_paused(message: dict[str, Any]) -> bool:
    """Only an answer in which the vendor runs something can have been paused."""
    return any(
        block["type"].endswith("tool_use") and block["type"] != "tool_use" for block in blocks_of(message)
    )


def _blocks(messages: list[dict[str, Any]]) -> Iterator[str]:
    for index, message in enumerate(messages):
        seen_other = False
        for number, block in enumerate(blocks_of(message)):
            place = f"block {number} of message {index}"
            kind = block["type"]
            if kind in (*_ASSISTANT_ONLY, *_RUN_BY_VENDOR) and message["role"] != "assistant":
                yield f"{place}: {kind} outside an assistant message"
            if kind == "text" and not block["text"].strip():
                yield f"{place}: blank text"
            if kind == "tool_result":
                if message["role"] != "user":
                    yield f"{place}: tool_result outside a user message"
                if seen_other:
                    yield f"{place}: tool_result behind something else"
                if block.get("is_error") and not block.get("content"):
                    yield f"{place}: an error without content"
            seen_other = seen_other or kind != "tool_result"
            yield from _thinking(place, block)


def _thinking(place: str, block: Block) -> Iterator[str]:
    if block["type"] == "thinking":
        signature = block.get("signature")
        if not signature:
            yield f"{place}: thinking without a signature"
        elif signature.startswith("demo") and signature != _signed(block["thinking"]):
            yield f"{place}: a signature that is not of this thinking"
    if block["type"] == "redacted_thinking" and not block.get("data"):
        yield f"{place}: redacted thinking without data"
    if block["type"] in ("thinking", "redacted_thinking") and "cache_control" in block:
        yield f"{place}: a cache mark on thinking"


def _signed(thinking: str) -> str:
    digest = hashlib.sha256(b"perdure demo model\n" + thinking.encode("utf-8", "replace")).digest()
    return "demo" + base64.b64encode(digest).decode()


def _our_pairs(messages: list[dict[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    awaited: list[str] = []
    for index, message in enumerate(messages):
        results = [block["tool_use_id"] for block in blocks_of(message) if block["type"] == "tool_result"]
        if sorted(results) != sorted(awaited):
            yield f"message {index} has results of {results}, awaited were those of {awaited}"
        calls = [block for block in blocks_of(message) if block["type"] == "tool_use"]
        awaited = [call["id"] for call in calls]
        for call in calls:
            if not _ID.fullmatch(call["id"]) or not _NAME.fullmatch(call["name"]):
                yield f"message {index}: the id or name of a call has letters that are not allowed"
            if not isinstance(call["input"], dict):
                yield f"message {index}: the input of a call is no object"
            if call["id"] in seen:
                yield f"message {index}: the id {call['id']} is not new"
            seen.add(call["id"])
    if awaited:
        yield f"the calls {awaited} have no results"


def _vendor_pairs(messages: list[dict[str, Any]]) -> Iterator[str]:
    awaited: set[str] = set()
    seen: set[str] = set()
    for index, message in enumerate(messages):
        blocks = blocks_of(message)
        if message["role"] == "user" and any(block["type"] != "tool_result" for block in blocks):
            if awaited:
                yield f"message {index} comes before the results of {sorted(awaited)}"
            awaited.clear()
        for block in blocks:
            kind = block["type"]
            if kind in _RUN_BY_VENDOR:
                if block["id"] in seen:
                    yield f"message {index}: the id {block['id']} is not new"
                if not isinstance(block["input"], dict):
                    yield f"message {index}: the input of a call is no object"
                seen.add(block["id"])
                awaited.add(block["id"])
            elif kind.endswith("_tool_result"):
                if message["role"] != "assistant":
                    yield f"message {index}: {kind} outside an assistant message"
                if block["tool_use_id"] not in awaited:
                    yield f"message {index}: {kind} without a call before it"
                awaited.discard(block["tool_use_id"])
            caller = block.get("caller", {}).get("tool_id")
            if caller and caller not in seen:
                yield f"message {index}: a caller that is not there"


def _marks(body: dict[str, Any]) -> Iterator[str]:
    system: Any = body.get("system", "")
    blocks: list[Block] = [*body.get("tools", []), *([] if isinstance(system, str) else system)]
    for message in body.get("messages", []):
        blocks += blocks_of(message)
    marks = sum("cache_control" in block for block in blocks)
    if marks > _MAX_MARKS:
        yield f"{marks} cache marks"


def _tools(body: dict[str, Any]) -> Iterator[str]:
    tools = body.get("tools", [])
    names = [tool["name"] for tool in tools if "name" in tool]
    if len(set(names)) != len(names):
        yield "two tools have one name"
    if "tools" in body and not tools:
        yield "an empty list of tools"
    if "tool_choice" in body and not tools:
        yield "a choice without tools"
    for tool in tools:
        schema = tool.get("input_schema")
        if schema is not None and schema.get("required") == []:
            yield f"the tool {tool['name']} requires an empty list"


def _settings(body: dict[str, Any]) -> Iterator[str]:
    thinking: Block = body.get("thinking") or {}
    budget: int | None = thinking.get("budget_tokens")
    if body["max_tokens"] < 1:
        yield "no room for an answer"
    if thinking.get("type") == "enabled" and not 1024 <= (budget or 0) < body["max_tokens"]:
        yield f"a budget of {budget} beside {body['max_tokens']}"
    if thinking and ("temperature" in body or "top_k" in body):
        yield "sampling beside thinking"
    if thinking and body.get("tool_choice", {}).get("type") in ("any", "tool"):
        yield "a forced tool beside thinking"
    if any(value is None for value in body.values()):
        yield "a field that is null"
