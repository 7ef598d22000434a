"""Where a context limit is recognised, and where not."""

from typing import Any

import pytest

from activities.context_limit import context_limit


@pytest.mark.parametrize(
    "key",
    [
        "context_limit",
        "contextWindow",
        "Context-Length",
        "max_context",
        "maxContextTokens",
        "max_input_tokens",
        "MaxInputToken",
        "inputTokenLimit",
        "model_context_limit",
        "contextWindowSize",
        "context_window_max",
        "maxModelContextLength",
        "context_max_tokens",
        "tokens limit of context",
    ],
)
def test_names_of_the_limit(key: str) -> None:
    assert context_limit({key: 1000}) == 1000


@pytest.mark.parametrize(
    "key",
    [
        "context",
        "limit",
        "context_window_used",
        "context_length_now",
        "context_tokens",
        "max_output_tokens",
        "window_size",
        "discontextlimited",
    ],
)
def test_names_of_something_else(key: str) -> None:
    assert context_limit({key: 1000}) is None


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        (200_000, 200_000),
        (200_000.0, 200_000),
        ("200000", 200_000),
        (0, None),
        (-5, None),
        (1.5, None),
        (True, None),
        ("many", None),
        ("", None),
        (None, None),
        ([7], None),
    ],
)
def test_only_positive_integers_count(value: Any, limit: int | None) -> None:
    assert context_limit({"context_limit": value}) == limit


def test_the_largest_anywhere_wins_over_the_fallback() -> None:
    metadata = {"a": [{"context_limit": 10}, {"usage": {"max_input_tokens": "30"}}], "context_window": 20}
    assert context_limit(metadata, 5) == 30
    assert context_limit({"context": {"limit": 10}}, 5) == 5
    assert context_limit({}, 0) is None
    assert context_limit(None, 8) == 8
