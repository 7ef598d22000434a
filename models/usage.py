"""Tokens of a call, and how each vendor counts them. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

MAX_TOKENS = 10**15
"""Of one count. What a server tells beyond it makes no sense, and counts as this: it has to fit wherever
counts are kept, added up and shown."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; `input_tokens` does not include cached ones. Zero means none or not reported."""

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_read_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.cache_creation_tokens + self.cache_read_tokens

    def stored(self) -> dict[str, int]:
        """The form kept on the message: zero is left out (spec api.md 3.3)."""
        counts = {**asdict(self), "total_tokens": self.total_tokens}
        return {name: count for name, count in counts.items() if count}


_ANTHROPIC = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_creation_input_tokens": "cache_creation_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
}


class MessagesMeter:
    """Collects the counts of one stream of Anthropic's. They are cumulative: what is reported later replaces
    what was."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def report(self, usage: Mapping[str, Any]) -> None:
        """Take over the `usage` of `message_start` or `message_delta`; what is absent or null stays."""
        for theirs, ours in _ANTHROPIC.items():
            self._take(ours, usage.get(theirs))
        self._take("reasoning_tokens", _object(usage.get("output_tokens_details")).get("thinking_tokens"))

    def _take(self, name: str, told: Any) -> None:
        if (count := _bounded(told)) is not None:
            self._counts[name] = count

    @property
    def total(self) -> Usage:
        return Usage(**self._counts)


def responses_usage(usage: Mapping[str, Any]) -> Usage:
    """From the `usage` of a response of OpenAI's. Cached tokens are a part of its input, and not of ours."""
    return _openai(
        usage,
        given=_count(usage, "input_tokens"),
        said=_count(usage, "output_tokens"),
        given_details=_object(usage.get("input_tokens_details")),
        said_details=_object(usage.get("output_tokens_details")),
    )


def chat_usage(usage: Mapping[str, Any]) -> Usage:
    """From the `usage` of a chat completion, or of a chunk of one."""
    return _openai(
        usage,
        given=_count(usage, "prompt_tokens"),
        said=_count(usage, "completion_tokens"),
        given_details=_object(usage.get("prompt_tokens_details")),
        said_details=_object(usage.get("completion_tokens_details")),
    )


def _openai(
    usage: Mapping[str, Any],
    *,
    given: int,
    said: int,
    given_details: Mapping[str, Any],
    said_details: Mapping[str, Any],
) -> Usage:
    cached = _count(given_details, "cached_tokens") or _count(usage, "prompt_cache_hit_tokens")
    written = _count(given_details, "cache_write_tokens")
    reasoning = _count(said_details, "reasoning_tokens")
    # Some servers leave reasoning out of what was said, and count it in the total only.
    said = max(said, _count(usage, "total_tokens") - given) if reasoning > 0 else said
    return Usage(
        input_tokens=max(given - cached - written, 0),
        output_tokens=said,
        reasoning_tokens=reasoning,
        cache_creation_tokens=written,
        cache_read_tokens=cached,
    )


def _count(counts: Mapping[str, Any], name: str) -> int:
    return _bounded(counts.get(name)) or 0


def _bounded(told: Any) -> int | None:
    return min(max(told, 0), MAX_TOKENS) if isinstance(told, int) else None


def _object(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
