"""The items of a Responses request: their shapes, and the ties between them that OpenAI insists on."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from activities.providers.demo.dialect import InvalidRequest
from activities.providers.demo.shapes import as_list, as_object
from activities.providers.demo.signing import encrypt

Item = dict[str, Any]

MAX_CALL_ID = 64

FIELDS: dict[str, set[str]] = {
    "message": {"type", "role", "content", "id", "status", "phase"},
    "reasoning": {"type", "id", "summary", "content", "encrypted_content", "status"},
    "function_call": {"type", "id", "call_id", "name", "arguments", "status"},
    "function_call_output": {"type", "id", "call_id", "output", "status"},
    "web_search_call": {"type", "id", "status", "action"},
    "code_interpreter_call": {"type", "id", "status", "code", "container_id", "outputs"},
    "file_search_call": {"type", "id", "status", "queries", "results"},
    "mcp_call": {"type", "id", "server_label", "name", "arguments", "output", "error", "status"},
}
PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "web_search_call": "ws",
    "code_interpreter_call": "ci",
    "file_search_call": "fs",
    "mcp_call": "mcp",
}
CONTENT = {
    "user": {"input_text", "input_image", "input_file"},
    "system": {"input_text"},
    "developer": {"input_text"},
    "assistant": {"output_text", "refusal"},
}
_OUTPUTS = CONTENT["user"]
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/]+=*")


def check_items(items: Any, before: list[Item], kept: Mapping[str, list[Item]], *, stored: bool) -> None:
    """Check what is said in a request.

    Args:
        before: the conversation that the request continues by `previous_response_id`.
        kept: all stored conversations.
        stored: whether the answer is to be stored.

    Raises:
        InvalidRequest: a shape or a tie is wrong.
    """
    given = as_list(items)
    if given is None:
        raise InvalidRequest("Invalid type for 'input': expected a string or an array.", param="input")
    for index, item in enumerate(given):
        _check_item(f"input[{index}]", item)
    _check_ids(given, kept)
    _check_calls([*before, *given])
    _check_reasoning(given, kept)


def item_text(item: Item) -> str:
    """The text of a message; empty for any other item."""
    content = item.get("content")
    if item.get("type", "message") != "message" or content is None:
        return ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or "" for part in content if part["type"] != "refusal")


def _refuse(message: str, param: str, code: str | None = None) -> InvalidRequest:
    return InvalidRequest(message, param=param, code=code)


def _check_item(place: str, item: Any) -> None:
    known = as_object(item)
    if known is None:
        raise _refuse(f"Invalid type for '{place}': expected an object.", place, "invalid_type")
    kind: str = known.get("type", "message")
    if kind not in FIELDS:
        raise _refuse(f"Invalid value: '{kind}'.", f"{place}.type", "invalid_value")
    for name in known:
        if name not in FIELDS[kind]:
            raise _refuse(f"Unknown parameter: '{place}.{name}'.", f"{place}.{name}", "unknown_parameter")
    identity = known.get("id")
    if identity is not None and not str(identity).startswith(f"{PREFIXES.get(kind, 'fco')}_"):
        raise _refuse(
            f"Invalid '{place}.id': '{identity}'. Expected an ID that begins with "
            f"'{PREFIXES.get(kind, 'fco')}'.",
            f"{place}.id",
            "invalid_value",
        )
    match kind:
        case "message":
            _check_message(place, known)
        case "function_call":
            _check_text_fields(place, known, ("call_id", "name", "arguments"))
        case "function_call_output":
            _check_text_fields(place, known, ("call_id",))
            _check_output(place, known)
        case "reasoning":
            _check_summary(place, known)
        case "code_interpreter_call":
            _check_text_fields(place, known, ("id", "container_id"))
        case _:
            _check_text_fields(place, known, ("id",))


def _check_text_fields(place: str, item: Item, names: Iterable[str]) -> None:
    for name in names:
        if not isinstance(item.get(name), str) or (name != "arguments" and not item[name]):
            raise _refuse(
                f"Missing required parameter: '{place}.{name}'.",
                f"{place}.{name}",
                "missing_required_parameter",
            )
    if len(item.get("call_id") or "") > MAX_CALL_ID:
        raise _refuse(
            f"Invalid '{place}.call_id': string too long. Expected a string with maximum length "
            f"{MAX_CALL_ID}.",
            f"{place}.call_id",
            "string_above_max_length",
        )


def _check_message(place: str, item: Item) -> None:
    role = item.get("role")
    if role not in CONTENT:
        raise _refuse(f"Invalid value: '{role}'.", f"{place}.role", "invalid_value")
    if isinstance(item.get("content"), str):
        return
    content = as_list(item.get("content"))
    if not content:
        raise _refuse(f"Invalid type for '{place}.content'.", f"{place}.content", "invalid_type")
    for index, part in enumerate(content):
        _check_part(f"{place}.content[{index}]", part, CONTENT[role])


def _check_part(place: str, part: Any, allowed: set[str]) -> None:
    kind = part.get("type")
    if kind not in allowed:
        raise _refuse(
            f"Invalid value: '{kind}'. Supported values are: {', '.join(sorted(allowed))}.",
            f"{place}.type",
            "invalid_value",
        )
    match kind:
        case "input_image":
            if not _DATA_URL.fullmatch(part.get("image_url") or ""):
                raise _refuse(
                    f"Invalid '{place}.image_url'. Expected a valid URL.",
                    f"{place}.image_url",
                    "invalid_value",
                )
        case "input_file":
            if not _DATA_URL.fullmatch(part.get("file_data") or "") or not part.get("filename"):
                raise _refuse(f"Invalid '{place}.file_data'.", f"{place}.file_data", "invalid_value")
        case _:
            if not isinstance(part.get("refusal" if kind == "refusal" else "text"), str):
                raise _refuse(f"Missing required parameter: '{place}.text'.", place)


def _check_output(place: str, item: Item) -> None:
    if isinstance(item.get("output"), str):
        return
    output = as_list(item.get("output"))
    if not output:
        raise _refuse(f"Invalid type for '{place}.output'.", f"{place}.output", "invalid_type")
    for index, part in enumerate(output):
        _check_part(f"{place}.output[{index}]", part, _OUTPUTS)


def _check_summary(place: str, item: Item) -> None:
    summary = as_list(item.get("summary"))
    if summary is None:
        raise _refuse(
            f"Missing required parameter: '{place}.summary'.",
            f"{place}.summary",
            "missing_required_parameter",
        )
    text = "".join(part["text"] for part in summary)
    proof = item.get("encrypted_content")
    if proof is not None and proof != encrypt(text):
        raise _refuse(
            f"The encrypted content {str(proof)[:8]}... could not be verified.",
            "input",
            "invalid_encrypted_content",
        )


def _check_ids(items: list[Item], kept: Mapping[str, list[Item]]) -> None:
    """An id names what is stored here, once. Tools of the vendor are exempt: they have no other form."""
    stored = {item["id"] for conversation in kept.values() for item in conversation if item.get("id")}
    seen: set[str] = set()
    for item in items:
        identity = item.get("id")
        if identity is None:
            if item.get("type") == "reasoning" and not item.get("encrypted_content"):
                raise _refuse("A reasoning item needs an id or its encrypted content.", "input")
            continue
        if identity in seen:
            raise _refuse(f"Duplicate item found with id {identity}.", "input", "duplicate_item")
        seen.add(identity)
        own = item.get("type", "message") in ("message", "reasoning", "function_call")
        if own and identity not in stored:
            raise InvalidRequest(
                f"Item with id '{identity}' not found. Items are not persisted when `store` is set to false. "
                "Try again with `store` set to true, or remove this item from your input.",
                param="input",
                status=404,
            )


def _check_calls(items: list[Item]) -> None:
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    results = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    for call in calls:
        if calls.count(call) > 1:
            raise _refuse(f"Duplicate function call with call_id {call}.", "input")
        if call not in results:
            raise _refuse(f"No tool output found for function call {call}.", "input")
    open_calls: set[str] = set()
    for item in items:
        match item.get("type"):
            case "function_call":
                open_calls.add(item["call_id"])
            case "function_call_output":
                if item["call_id"] not in open_calls:
                    raise _refuse(
                        f"No tool call found for function call output with call_id {item['call_id']}.",
                        "input",
                    )
                open_calls.remove(item["call_id"])
            case _ if item.get("role") == "user" and open_calls:
                raise _refuse(f"No tool output found for function call {min(open_calls)}.", "input")
            case _:
                pass


def _check_reasoning(items: list[Item], kept: Mapping[str, list[Item]]) -> None:
    """A reasoning item goes with the item it led to, in both directions."""
    led_by: dict[str, str] = {}
    for conversation in kept.values():
        for reasoning, item in zip(conversation, conversation[1:], strict=False):
            if reasoning.get("type") == "reasoning" and reasoning.get("id") and item.get("id"):
                led_by[item["id"]] = reasoning["id"]
    given = {item.get("id") for item in items}
    for index, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "reasoning":
            following = items[index + 1] if index + 1 < len(items) else {}
            by_the_model = following.get("role") == "assistant" or following.get("type") in PREFIXES
            if not by_the_model or following.get("role") == "user":
                raise _refuse(
                    f"Item '{item.get('id')}' of type 'reasoning' was provided without its required "
                    "following item.",
                    "input",
                )
        reason = led_by.get(item.get("id") or "")
        if reason and reason not in given:
            raise _refuse(
                f"Item '{item['id']}' of type '{kind}' was provided without its required 'reasoning' item: "
                f"'{reason}'.",
                "input",
            )
