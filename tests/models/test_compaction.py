"""When history is compacted, and when a turn goes on behind it."""

import pytest

from models.compaction import (
    MAX_REENTRIES,
    CompactionReason,
    context_tokens,
    default_threshold,
    estimated_tokens,
    is_due,
    reenters,
    usage_percent,
)


def test_cached_tokens_are_part_of_the_context() -> None:
    assert context_tokens({"input_tokens": 5, "cache_read_tokens": 30, "cache_creation_tokens": 7}) == 42
    assert context_tokens({"output_tokens": 9, "total_tokens": 60}) == 60
    assert context_tokens({}) == 0


@pytest.mark.parametrize(
    ("tokens", "limit", "threshold", "due"),
    [
        (700, 1000, 70, True),
        (699, 1000, 70, False),
        (1, 1000, 0, True),
        (5000, 1000, 100, False),
        (700, 1000, 101, True),
        (700, 1000, -1, True),
        (0, 1000, 0, False),
        (700, 0, 0, False),
    ],
)
def test_the_threshold_decides(tokens: int, limit: int, threshold: int, due: bool) -> None:
    assert is_due({"input_tokens": tokens, "context_limit": limit}, threshold) is due


def test_without_a_known_limit_nothing_is_ever_due() -> None:
    assert usage_percent({"input_tokens": 10**9}) is None
    assert not is_due({"input_tokens": 10**9}, 0)


def test_large_contexts_are_compacted_earlier() -> None:
    assert [default_threshold(limit) for limit in (200_000, 499_999, 500_000)] == [70, 70, 30]


def test_a_turn_goes_on_behind_the_compaction_of_its_last_step_three_times() -> None:
    threshold = CompactionReason.THRESHOLD
    assert [reenters(threshold, turn_ended=True, reentries=n) for n in range(5)] == [
        n < MAX_REENTRIES for n in range(5)
    ]
    assert not reenters(threshold, turn_ended=False, reentries=0)
    assert not reenters(CompactionReason.MANUAL, turn_ended=True, reentries=0)


def test_estimates_are_rounded_up() -> None:
    assert [estimated_tokens(size) for size in (0, 1, 3, 4)] == [0, 1, 1, 2]
