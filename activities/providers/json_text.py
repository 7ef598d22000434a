"""JSON from a vendor's wire, fast, and fit to be written again."""

import json
from collections.abc import Mapping
from typing import Any, cast

import orjson


def decode_json(text: str) -> Any:
    """Decode a JSON text.

    Escapes of half a surrogate pair, which senders that cut UTF-16 produce, become U+FFFD: such a text could
    be read but never be encoded again.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if "\\u" not in text:
            raise
        return _decode_leniently(text)


def _decode_leniently(text: str) -> Any:
    try:
        whole = json.dumps(json.loads(text), ensure_ascii=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return orjson.loads(whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def as_object(value: Any) -> dict[str, Any]:
    """The value, if it is a JSON object; an empty one for anything else."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value, if it is a JSON array; an empty one for anything else."""
    return cast(list[Any], value) if isinstance(value, list) else []


def type_of(event: Mapping[str, Any]) -> str:
    """The type of an event of a stream; gateways send errors without one.

    Raises:
        KeyError: it has none.
    """
    return event["type"] if "type" in event or "error" not in event else "error"
