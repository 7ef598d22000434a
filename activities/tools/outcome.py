"""What the model is told of a call: text that is valid and not too long, or media."""

import json
import re
from dataclasses import dataclass, replace

from pydantic import JsonValue

from activities.providers.json_text import STORED_LEVELS, nests_deeper
from activities.tools.tool import Media, Result

_SURROGATE = re.compile("[\ud800-\udfff]")

_BYTES_PER_TOKEN = 3
_LEAST_BUDGET_BYTES = 16 * 1024
_BUDGET_WHEN_UNKNOWN_BYTES = 64 * 1024
_MARKER_RESERVE_BYTES = 256


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """The result of a call.

    Attributes:
        result: can be stored as JSON in UTF-8.
        is_error: the call failed.
        is_media: `result` holds `media_type`, `data` in base64, and `text`.
        unknown: nobody knows whether the call had its effect.
    """

    result: JsonValue
    is_error: bool = False
    is_media: bool = False
    unknown: bool = False

    def text(self) -> str:
        """The result as a model reads it."""
        return self.result if isinstance(self.result, str) else json.dumps(self.result, ensure_ascii=False)


def outcome_of(result: Result) -> ToolOutcome:
    """What a tool has answered.

    Raises:
        ValueError: it is no JSON: of another type, or with numbers that JSON does not have; or nested more
            than 100 deep.
        TypeError: the same.
    """
    if isinstance(result, Media):
        media: dict[str, JsonValue] = {"media_type": result.media_type, "data": result.data}
        return ToolOutcome(valid_text({**media, "text": result.text}), is_media=True)
    json.dumps(result, allow_nan=False)
    if nests_deeper(result, STORED_LEVELS):
        raise ValueError(f"the result is nested more than {STORED_LEVELS} deep")
    return ToolOutcome(valid_text(result))


def failed(text: str) -> ToolOutcome:
    return ToolOutcome(valid_text(text), is_error=True)


def valid_text(value: JsonValue) -> JsonValue:
    """The value with every text fit for UTF-8: halves of surrogate pairs become U+FFFD."""
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [valid_text(item) for item in value]
        case dict():
            return {_SURROGATE.sub("\ufffd", key): valid_text(item) for key, item in value.items()}
        case _:
            return value


def budget_bytes(context_limit_tokens: int | None) -> int:
    """How long a result may be: a third of what the model can take in (spec chat-loop.md 1.9)."""
    if not context_limit_tokens:
        return _BUDGET_WHEN_UNKNOWN_BYTES
    return max(context_limit_tokens // 3 * _BYTES_PER_TOKEN, _LEAST_BUDGET_BYTES)


def truncated(outcome: ToolOutcome, budget: int) -> ToolOutcome | None:
    """The outcome cut to a budget in bytes; None if it fits. Of what is not text, its JSON is cut."""
    if outcome.is_media:
        return None
    whole = outcome.text().encode()
    if len(whole) <= budget:
        return None
    return replace(outcome, result=_head_and_tail(whole, budget))


def _head_and_tail(whole: bytes, budget: int) -> str:
    if budget <= 2 * _MARKER_RESERVE_BYTES:
        return whole[:budget].decode(errors="ignore")
    kept = budget - _MARKER_RESERVE_BYTES
    head = kept * 2 // 3
    tail = kept - head
    marker = f"\n\n[... {len(whole) - kept} of {len(whole)} bytes left out here ...]\n\n"
    return whole[:head].decode(errors="ignore") + marker + whole[-tail:].decode(errors="ignore")
