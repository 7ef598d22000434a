"""What the Responses API demands of a request. Knows nothing of the adapter, and trusts nothing it says."""

import re
from collections.abc import Iterator
from typing import Any

Item = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DATA = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]+")
_BY_THE_MODEL = (
    "function_call", "web_search_call", "code_interpreter_call", "file_search_call", "mcp_call", "reasoning",
)  # fmt: skip
_SAID_BY = {"user": ("input_text", "input_image", "input_file"), "assistant": ("output_text", "refusal")}


def broken_rules(body: dict[str, Any]) -> list[str]:
    """What the vendor would refuse of this body, in words; nothing if it would take it."""
    items: list[Item] = body.get("input", [])
    return [
        *_shapes(items),
        *_pairs(items, continues="previous_response_id" in body),
        *_reasoning(items, stored=body.get("store", True)),
        *_tools(body),
        *_settings(body),
    ]


def _shapes(items: list[Item]) -> Iterator[str]:
    if not items:
        yield "nothing is said"
    for index, item in enumerate(items):
        if any(value is None for value in item.values()) and item["type"] in ("message", "function_call"):
            yield f"item {index} holds a null"
        if item["type"] == "message":
            yield from _message(index, item)
        if item["type"] == "function_call" and not item["arguments"].startswith("{"):
            yield f"item {index}: arguments that are no object"
        if item["type"] == "function_call" and not _NAME.fullmatch(item["name"]):
            yield f"item {index}: a name that is not allowed"
        if item["type"] == "function_call_output" and not isinstance(item["output"], str):
            yield from _contents(index, item["output"], _SAID_BY["user"])


def _message(index: int, item: Item) -> Iterator[str]:
    if item["role"] not in _SAID_BY:
        yield f"item {index} has the role {item['role']}"
        return
    yield from _contents(index, item["content"], _SAID_BY[item["role"]])
    if item["role"] == "user" and {"id", "status", "phase"} & set(item):
        yield f"item {index}: a user's message with fields of the model's"


def _contents(index: int, contents: list[Item], allowed: tuple[str, ...]) -> Iterator[str]:
    if not contents:
        yield f"item {index} is empty"
    for content in contents:
        if content["type"] not in allowed:
            yield f"item {index}: {content['type']} does not belong here"
        address = content.get("image_url") or content.get("file_data")
        if address is not None and not _DATA.fullmatch(address):
            yield f"item {index}: data that cannot be read"
        if (
            address is None
            and content["type"] in ("input_text", "output_text")
            and not content["text"].strip()
        ):
            yield f"item {index}: blank text"


def _pairs(items: list[Item], *, continues: bool) -> Iterator[str]:
    awaited: list[str] = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        kind = item["type"]
        if kind == "function_call":
            if not _CALL_ID.fullmatch(item["call_id"]) or item["call_id"] in seen:
                yield f"item {index}: the id of the call is not new, or not allowed"
            seen.add(item["call_id"])
            awaited.append(item["call_id"])
        elif kind == "function_call_output":
            if item["call_id"] in awaited:
                awaited.remove(item["call_id"])
            elif not continues:
                yield f"item {index}: a result without its call before it"
        elif awaited and item.get("role") == "user":
            yield f"item {index} comes before the results of {awaited}"
    if awaited:
        yield f"the calls {awaited} have no results"
    if continues and seen:
        yield "calls are told again that the vendor remembers"


def _reasoning(items: list[Item], *, stored: bool) -> Iterator[str]:
    ids = [item["id"] for item in items if "id" in item]
    if len(set(ids)) != len(ids):
        yield "an item is told twice"
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else {}
        if item["type"] == "reasoning":
            if following.get("role") != "assistant" and following.get("type") not in _BY_THE_MODEL:
                yield f"item {index}: reasoning that led to nothing"
            if not item.get("encrypted_content") and not (stored and item.get("id")):
                yield f"item {index}: reasoning that nobody can read"
        if not stored and item["type"] in ("message", "function_call", "reasoning") and "id" in item:
            yield f"item {index} is named by an id, and nothing is stored"


def _tools(body: dict[str, Any]) -> Iterator[str]:
    tools = body.get("tools", [])
    names = [tool["name"] for tool in tools if tool["type"] == "function"]
    if "tools" in body and not tools:
        yield "an empty list of tools"
    if len(set(names)) != len(names):
        yield "two tools have one name"
    if "tool_choice" in body and not tools:
        yield "a choice without tools"
    for tool in tools:
        if tool["type"] != "function":
            continue
        schema = tool["parameters"]
        if schema.get("type") != "object" or "properties" not in schema or schema.get("required") == []:
            yield f"the schema of {tool['name']} is not what is asked for"
        if "strict" not in tool:
            yield f"silence about {tool['name']} is taken for strictness"


def _settings(body: dict[str, Any]) -> Iterator[str]:
    if "reasoning.encrypted_content" not in body.get("include", []):
        yield "reasoning is not asked for in a form that can go back"
    if body["max_output_tokens"] < 16:
        yield "no room for an answer"
    if any(value is None for value in body.values()):
        yield "a field that is null"
    if {"messages", "max_tokens", "max_completion_tokens", "top_k"} & set(body):
        yield "a field of the other interface"
