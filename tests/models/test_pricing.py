"""What calls cost: exact, rounded once, and never more than was foreseen."""

from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.model_options import Prices
from models.pricing import MAX_MICROS, cost_micros, is_priced, worst_case_micros

_PRICES = st.none() | st.decimals(0, 1000, places=9)
PRICES = st.builds(
    Prices,
    input_price_per_million_tokens=_PRICES,
    output_price_per_million_tokens=_PRICES,
    cache_read_price_per_million_tokens=_PRICES,
    cache_write_price_per_million_tokens=_PRICES,
)
TOKENS = st.integers(0, 2_000_000)
USAGE = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": TOKENS,
        "output_tokens": TOKENS,
        "cache_read_tokens": TOKENS,
        "cache_creation_tokens": TOKENS,
        "reasoning_tokens": TOKENS,
        "total_tokens": TOKENS,
        "context_limit": TOKENS,
    },
)


def _prices(**dollars: str) -> Prices:
    return Prices.model_validate({f"{name}_price_per_million_tokens": d for name, d in dollars.items()})


def test_the_four_categories_are_summed_and_reasoning_is_not_added_again() -> None:
    usage = {
        "input_tokens": 1000,
        "output_tokens": 200,
        "reasoning_tokens": 150,
        "cache_read_tokens": 5000,
        "cache_creation_tokens": 300,
        "total_tokens": 6500,
        "context_limit": 200_000,
    }
    prices = _prices(input="3", output="15", cache_read="0.3", cache_write="3.75")
    assert cost_micros(usage, prices) == 3000 + 3000 + 1500 + 1125


def test_the_sum_is_rounded_up_and_not_its_parts() -> None:
    prices = _prices(input="0.4", output="0.4", cache_read="0.1")
    assert cost_micros({"input_tokens": 1, "output_tokens": 1}, prices) == 1
    assert cost_micros({"input_tokens": 1, "output_tokens": 1, "cache_read_tokens": 3}, prices) == 2
    assert cost_micros({"input_tokens": 1}, _prices(input="0.000000001")) == 1


@pytest.mark.parametrize(
    ("usage", "prices"),
    [
        ({"input_tokens": 10, "output_tokens": 5}, _prices()),
        (None, _prices(input="3")),
        ({}, _prices(input="3")),
        ({"input_tokens": 0}, _prices(input="3")),
        ({"output_tokens": 5}, _prices(input="3")),
        ({"reasoning_tokens": 5, "total_tokens": 5}, _prices(input="3", output="4")),
    ],
)
def test_a_call_is_unpriced_without_a_price_without_usage_and_without_usage_that_has_a_price(
    usage: dict[str, int] | None, prices: Prices
) -> None:
    assert cost_micros(usage, prices) is None


def test_a_price_of_zero_is_a_price() -> None:
    assert is_priced(_prices(output="0"))
    assert cost_micros({"input_tokens": 10, "output_tokens": 5}, _prices(output="0")) == 0
    assert worst_case_micros(10, 5, _prices(output="0")) == 0


def test_without_a_price_there_is_no_worst_case() -> None:
    assert worst_case_micros(1000, 1000, _prices()) is None


def test_the_worst_case_takes_the_dearest_way_in() -> None:
    assert worst_case_micros(100, 10, _prices(input="3", output="15", cache_write="3.75")) == 525
    assert worst_case_micros(100, 10, _prices(input="3", output="15"), unseen_input_tokens=50) == 600


def test_a_count_out_of_this_world_costs_the_most_there_is() -> None:
    assert cost_micros({"output_tokens": 10**40}, _prices(output="15")) == MAX_MICROS
    assert worst_case_micros(1, 10**40, _prices(output="15")) == MAX_MICROS


@given(USAGE, PRICES)
def test_a_cost_is_the_exact_sum_rounded_up(usage: dict[str, int], prices: Prices) -> None:
    categories = {
        "input_tokens": prices.input_price_per_million_tokens,
        "output_tokens": prices.output_price_per_million_tokens,
        "cache_read_tokens": prices.cache_read_price_per_million_tokens,
        "cache_creation_tokens": prices.cache_write_price_per_million_tokens,
    }
    used = {name: price for name, price in categories.items() if usage.get(name) and price is not None}
    exact = sum((usage[name] * Fraction(price) for name, price in used.items()), Fraction(0))
    assert cost_micros(usage, prices) == (ceil(exact) if used else None)


@given(USAGE, PRICES, st.integers(0, 100_000), st.integers(0, 100_000))
def test_no_call_costs_more_than_its_worst_case(
    usage: dict[str, int], prices: Prices, spare_bytes: int, spare_output: int
) -> None:
    kinds_of_input = ("input_tokens", "cache_read_tokens", "cache_creation_tokens")
    sent = sum(usage.get(kind, 0) for kind in kinds_of_input) + spare_bytes
    worst = worst_case_micros(sent, usage.get("output_tokens", 0) + spare_output, prices)
    cost = cost_micros(usage, prices)
    assert cost is None or (worst is not None and cost <= worst)


@given(PRICES, TOKENS, TOKENS, st.integers(0, 1000))
def test_more_to_say_is_never_cheaper_in_the_worst_case(
    prices: Prices, sent: int, output: int, more: int
) -> None:
    assert (worst_case_micros(sent + more, output, prices) or 0) >= (
        worst_case_micros(sent, output, prices) or 0
    )


def test_prices_reach_the_sum_as_they_were_written() -> None:
    third = _prices(input="0.333333333")
    assert third.input_price_per_million_tokens == Decimal("0.333333333")
    assert cost_micros({"input_tokens": 3_000_000}, third) == 1_000_000
