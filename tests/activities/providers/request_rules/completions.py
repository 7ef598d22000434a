"""What the Chat Completions API demands of a request, whichever server it goes to.

Knows nothing of the adapter, and trusts nothing it says.
"""

import re
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DATA = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]+")
_FIELDS = {
    "system": {"role", "content"},
    "developer": {"role", "content"},
    "user": {"role", "content"},
    "tool": {"role", "content", "tool_call_id"},
    "assistant": {
        "role", "content", "tool_calls", "refusal", "reasoning_content", "reasoning", "reasoning_details",
    },
}  # fmt: skip


def broken_rules(body: dict[str, Any]) -> list[str]:
    """What the vendor would refuse of this body, in words; nothing if it would take it."""
    messages: list[Message] = body.get("messages", [])
    return [*_order(messages), *_shapes(messages), *_pairs(messages), *_tools(body), *_settings(body)]


def _order(messages: list[Message]) -> Iterator[str]:
    roles = [message["role"] for message in messages]
    if not {"user", "assistant"} & set(roles):
        yield "nothing is said"
    if any(role in ("system", "developer") for role in roles[1:]):
        yield "instructions that do not come first"
    if {"system", "developer"} <= set(roles):
        yield "instructions of two kinds"
    if roles and roles[-1] == "assistant":
        yield "the last message is the assistant's"


def _shapes(messages: list[Message]) -> Iterator[str]:
    for index, message in enumerate(messages):
        if unknown := set(message) - _FIELDS[message["role"]]:
            yield f"message {index} has unknown fields {sorted(unknown)}"
        content = message.get("content")
        if isinstance(content, list):
            yield from _parts(index, content)  # pyright: ignore[reportUnknownArgumentType]
        elif content is None and not (message.get("tool_calls") or message.get("refusal")):
            yield f"message {index} is empty"
        elif isinstance(content, str) and not content.strip() and message["role"] != "tool":
            yield f"message {index} is blank"


def _parts(index: int, parts: list[Message]) -> Iterator[str]:
    if not parts:
        yield f"message {index} is empty"
    for part in parts:
        match part["type"]:
            case "text":
                if not part["text"].strip():
                    yield f"message {index}: blank text"
            case "image_url":
                if not _DATA.fullmatch(part["image_url"]["url"]):
                    yield f"message {index}: data that cannot be read"
            case "file":
                if not _DATA.fullmatch(part["file"]["file_data"]) or not part["file"]["filename"]:
                    yield f"message {index}: data that cannot be read"
            case other:
                yield f"message {index}: {other} does not belong here"


def _pairs(messages: list[Message]) -> Iterator[str]:
    awaited: list[str] = []
    seen: set[str] = set()
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in awaited:
                yield f"message {index}: a result without its call right before it"
            else:
                awaited.remove(message["tool_call_id"])
            continue
        if awaited:
            yield f"message {index} comes before the results of {awaited}"
        awaited = []
        for call in message.get("tool_calls", []):
            if call["id"] in seen or not 0 < len(call["id"]) <= 128:
                yield f"message {index}: the id {call['id']} is not new, or too long"
            if not _NAME.fullmatch(call["function"]["name"]):
                yield f"message {index}: a name that is not allowed"
            if not call["function"]["arguments"].startswith("{"):
                yield f"message {index}: arguments that are no object"
            seen.add(call["id"])
            awaited.append(call["id"])
        if message.get("tool_calls") == []:
            yield f"message {index}: an empty list of calls"
    if awaited:
        yield f"the calls {awaited} have no results"


def _tools(body: dict[str, Any]) -> Iterator[str]:
    tools: list[Message] = body.get("tools", [])
    functions = [tool["function"] for tool in tools if tool["type"] == "function"]
    if any("function" in tool for tool in tools if tool["type"] != "function"):
        yield "a function that is none"
    names = [function["name"] for function in functions]
    if "tools" in body and not tools:
        yield "an empty list of tools"
    if len(set(names)) != len(names):
        yield "two tools have one name"
    if {"tool_choice", "parallel_tool_calls"} & set(body) and not functions:
        yield "a choice without tools"
    for function in functions:
        schema = function["parameters"]
        if schema.get("type") != "object" or "properties" not in schema or schema.get("required") == []:
            yield f"the schema of {function['name']} is not what is asked for"


def _settings(body: dict[str, Any]) -> Iterator[str]:
    if ("max_tokens" in body) == ("max_completion_tokens" in body):
        yield "the room for an answer is not given once"
    if any(value is None for value in body.values()):
        yield "a field that is null"
    if {"input", "include", "store_response", "instructions", "max_output_tokens"} & set(body):
        yield "a field of the other interface"
    if "stream_options" in body and not body.get("stream"):
        yield "options of a stream without a stream"
