"""How long the result of a tool may be, whoever has run it (spec chat-loop.md 1.9). Pure."""

import json

from pydantic import JsonValue

_BYTES_PER_TOKEN = 3
_LEAST_BUDGET_BYTES = 16 * 1024
_BUDGET_WHEN_UNKNOWN_BYTES = 64 * 1024
_MARKER_RESERVE_BYTES = 256


def text_of(result: JsonValue) -> str:
    """A result as a model reads it."""
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)


def budget_bytes(context_limit_tokens: int | None) -> int:
    """How long a result may be: a third of what the model can take in."""
    if not context_limit_tokens:
        return _BUDGET_WHEN_UNKNOWN_BYTES
    return max(context_limit_tokens // 3 * _BYTES_PER_TOKEN, _LEAST_BUDGET_BYTES)


def shortened(result: JsonValue, budget: int) -> str | None:
    """The head and the tail of a result that is longer than a budget in bytes; None if it fits. Of what is
    not text, the JSON is cut."""
    whole = text_of(result).encode()
    return None if len(whole) <= budget else _head_and_tail(whole, budget)


def _head_and_tail(whole: bytes, budget: int) -> str:
    if budget <= 2 * _MARKER_RESERVE_BYTES:
        return whole[:budget].decode(errors="ignore")
    kept = budget - _MARKER_RESERVE_BYTES
    head = kept * 2 // 3
    tail = kept - head
    marker = f"\n\n[... {len(whole) - kept} of {len(whole)} bytes left out here ...]\n\n"
    return whole[:head].decode(errors="ignore") + marker + whole[-tail:].decode(errors="ignore")
