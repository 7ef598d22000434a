"""Counts of tokens as servers tell them, also those that make no sense."""

from collections.abc import Callable
from typing import Any

import pytest

from models.usage import MAX_TOKENS, MessagesMeter, Usage, chat_usage, responses_usage

Told = dict[str, Any]


def of_messages(usage: Told) -> Usage:
    meter = MessagesMeter()
    meter.report(usage)
    return meter.total


VENDORS: dict[str, tuple[Callable[[Told], Usage], str, str, str]] = {
    "messages": (of_messages, "input_tokens", "output_tokens", "output_tokens_details"),
    "responses": (responses_usage, "input_tokens", "output_tokens", "output_tokens_details"),
    "chat": (chat_usage, "prompt_tokens", "completion_tokens", "completion_tokens_details"),
}


@pytest.mark.parametrize(("read", "given", "said", "details"), VENDORS.values(), ids=VENDORS)
@pytest.mark.parametrize(
    ("told", "counted"),
    [(-5, 0), (None, 0), ("7", 0), (7.5, 0), (0, 0), (7, 7), (2**63, MAX_TOKENS)],
)
def test_a_count_is_never_below_zero_and_fits_where_it_is_kept(
    read: Callable[[Told], Usage], given: str, said: str, details: str, told: Any, counted: int
) -> None:
    usage = read({given: told, said: told, details: [told]})
    assert usage == Usage(input_tokens=counted, output_tokens=counted)
    assert usage.total_tokens < 2**53, "clients read it as a double"


def test_counts_of_anthropic_s_replace_each_other_and_what_is_absent_stays() -> None:
    meter = MessagesMeter()
    meter.report({"input_tokens": 12, "output_tokens": 1, "cache_read_input_tokens": 5})
    meter.report({"input_tokens": None, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}})
    meter.report({"output_tokens": 0})
    assert meter.total == Usage(12, 0, 4, 0, 5)
