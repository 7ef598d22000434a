"""When history is compacted (spec chat-loop.md 1.14). Pure."""

from collections.abc import Mapping
from enum import StrEnum
from math import ceil

DEFAULT_THRESHOLD_PERCENT = 70
LARGE_CONTEXT_THRESHOLD_PERCENT = 30
LARGE_CONTEXT_TOKENS = 500_000
NEVER_PERCENT = 100
"""This threshold switches automatic compaction off."""

MAX_REENTRIES = 3
"""How often a turn goes on by itself because its last step was followed by a compaction."""

SUMMARY_TOOL = "chat_summarized"
"""Name of the call by which clients are shown a compaction."""

BYTES_PER_TOKEN = 3
"""A cautious guess for a prompt that no model has counted yet."""


class CompactionReason(StrEnum):
    """Why history is to be compacted: a person asked for it; the context is full after a step that ended the
    turn (`threshold`), or after one that asked for tools (`inline`); or the provider refused the prompt."""

    MANUAL = "manual"
    THRESHOLD = "threshold"
    INLINE = "inline"
    OVERFLOW = "overflow"

    @property
    def source(self) -> str:
        """What clients are told: `manual` or `automatic`."""
        return "manual" if self is CompactionReason.MANUAL else "automatic"


def default_threshold(context_limit: int) -> int:
    """Percent of the context at which a newly configured model is compacted."""
    large = context_limit >= LARGE_CONTEXT_TOKENS
    return LARGE_CONTEXT_THRESHOLD_PERCENT if large else DEFAULT_THRESHOLD_PERCENT


def threshold_in_force(percent: int) -> int:
    """A stored threshold; one that is none counts as the default."""
    return percent if 0 <= percent <= NEVER_PERCENT else DEFAULT_THRESHOLD_PERCENT


def context_tokens(usage: Mapping[str, int]) -> int:
    """Tokens of the prompt of a call, cached ones included; all tokens where those were not counted."""
    counted = sum(usage.get(f"{kind}_tokens", 0) for kind in ("input", "cache_read", "cache_creation"))
    return counted or usage.get("total_tokens", 0)


def usage_percent(usage: Mapping[str, int]) -> float | None:
    """How full the context was at the call of this usage; None where its size or limit is not known."""
    tokens, limit = context_tokens(usage), usage.get("context_limit", 0)
    return tokens / limit * 100 if tokens > 0 and limit > 0 else None


def is_due(usage: Mapping[str, int], threshold_percent: int) -> bool:
    """Whether the conversation is to be compacted after a step of this usage."""
    threshold = threshold_in_force(threshold_percent)
    percent = usage_percent(usage)
    return threshold < NEVER_PERCENT and percent is not None and percent >= threshold


def reenters(reason: CompactionReason, *, turn_ended: bool, reentries: int) -> bool:
    """Whether a turn that had ended goes on after its compaction, so that the model sees the summary."""
    return reason is CompactionReason.THRESHOLD and turn_ended and reentries < MAX_REENTRIES


def estimated_tokens(size_bytes: int) -> int:
    """Tokens that a text of this size may have."""
    return ceil(size_bytes / BYTES_PER_TOKEN)
