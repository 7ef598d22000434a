"""JSON from a vendor's wire, fast, and fit to be written again."""

import json
from typing import Any

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
        value = json.loads(text)
        return orjson.loads(
            json.dumps(value, ensure_ascii=False)
            .encode("utf-16", "surrogatepass")
            .decode("utf-16", "replace")
        )
