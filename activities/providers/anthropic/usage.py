"""Token counts of the Messages protocol."""

from collections.abc import Mapping
from typing import Any

from activities.providers.protocol import Usage

_FIELDS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_creation_input_tokens": "cache_creation_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
}


class UsageMeter:
    """Collects the counts of one stream: they are cumulative, so what is reported later replaces what was."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def report(self, usage: Mapping[str, Any]) -> None:
        """Take over the `usage` of `message_start` or `message_delta`; what is absent or null stays."""
        for theirs, ours in _FIELDS.items():
            if isinstance(count := usage.get(theirs), int):
                self._counts[ours] = count
        details: Mapping[str, Any] = usage.get("output_tokens_details") or {}
        if isinstance(count := details.get("thinking_tokens"), int):
            self._counts["reasoning_tokens"] = count

    @property
    def total(self) -> Usage:
        return Usage(**self._counts)
