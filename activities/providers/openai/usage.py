"""Token counts of both interfaces. Here cached tokens are a part of the input, and ours are not."""

from collections.abc import Mapping
from typing import Any

from activities.providers.json_text import as_object
from activities.providers.protocol import Usage


def responses_usage(usage: Mapping[str, Any]) -> Usage:
    """From the `usage` of a response."""
    return _usage(
        usage,
        given=_count(usage, "input_tokens"),
        said=_count(usage, "output_tokens"),
        given_details=as_object(usage.get("input_tokens_details")),
        said_details=as_object(usage.get("output_tokens_details")),
    )


def chat_usage(usage: Mapping[str, Any]) -> Usage:
    """From the `usage` of a chunk."""
    return _usage(
        usage,
        given=_count(usage, "prompt_tokens"),
        said=_count(usage, "completion_tokens"),
        given_details=as_object(usage.get("prompt_tokens_details")),
        said_details=as_object(usage.get("completion_tokens_details")),
    )


def _usage(
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
    count = counts.get(name)
    return count if isinstance(count, int) and count > 0 else 0
