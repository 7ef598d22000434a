"""JSON from a vendor's wire, fast, and fit to be written again."""

import json
from collections.abc import Iterable
from typing import Any, cast

import orjson

STORED_LEVELS = 100
"""Objects and arrays in each other, of a value that is kept. Encoders give up on some hundreds."""


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


def nests_deeper(value: Any, levels: int) -> bool:
    """Whether objects and arrays stand in each other more than `levels` deep. What was read from JSON may be
    too deep to be written again."""
    level: list[Any] = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _within(outer) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _within(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return cast("dict[str, Any]", value).values()
        case list():
            return cast("list[Any]", value)
        case _:
            return ()


def as_object(value: Any) -> dict[str, Any]:
    """The value, if it is a JSON object; an empty one for anything else."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value, if it is a JSON array; an empty one for anything else."""
    return cast(list[Any], value) if isinstance(value, list) else []
