"""What model calls cost, in micros: millionths of a dollar (spec chat-loop.md 3.6). Pure.

Prices are exact decimals of dollars per million tokens, so tokens times price are micros. Only the sum is
rounded, upwards: no call is cheaper here than on the bill.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Context, Decimal

from models.model_options import Prices

MAX_MICROS = 10**15
"""A thousand million dollars. What is reported beyond counts as this, and fits its column."""

_EXACT = Context(prec=60, rounding=ROUND_CEILING)
"""Prices have at most 18 digits and token counts are cut at 18, so nothing is lost before the rounding."""

_MAX_TOKENS = 10**18


def is_priced(prices: Prices) -> bool:
    """Whether there is any price at all. A price of zero is one."""
    return any(price is not None for price in _by_usage(prices).values())


def cost_micros(usage: Mapping[str, int] | None, prices: Prices) -> int | None:
    """The cost of a call.

    Args:
        usage: tokens by the names of the stored form (`input_tokens`, ...); input does not include cached
            tokens. Reasoning is part of output and not counted again.

    Returns:
        Micros, at most `MAX_MICROS`; None if the call is unpriced: there is no price at all, no usage, or no
        usage in a category that has a price. Use of a category without a price, beside others, is free.
    """
    shares = [
        _times(usage[name], price)
        for name, price in _by_usage(prices).items()
        if price is not None and usage is not None and usage.get(name)
    ]
    return _rounded(shares) if shares else None


def worst_case_micros(
    input_bytes: int, max_output_tokens: int, prices: Prices, *, unseen_input_tokens: int = 0
) -> int | None:
    """The most a call can cost that has not been made yet.

    It cannot be lower than the real cost. A token stands for at least one byte of what is sent, so there are
    not more input tokens than bytes; what becomes tokens without being sent as text is given apart. Each may
    be new to the vendor's cache or not: the dearest of the three input prices bounds it. The vendor stops an
    answer at `max_output_tokens`, reasoning included.

    Args:
        input_bytes: of all text that is sent, the definitions of the tools included.
        max_output_tokens: as the request says.
        unseen_input_tokens: an upper bound for pictures and documents, for what the vendor remembers of the
            conversation, and for what it adds of its own.

    Returns:
        Micros, at most `MAX_MICROS`; None if there is no price at all.
    """
    if not is_priced(prices):
        return None
    input_prices = (
        prices.input_price_per_million_tokens,
        prices.cache_read_price_per_million_tokens,
        prices.cache_write_price_per_million_tokens,
    )
    dearest = max((price for price in input_prices if price is not None), default=Decimal(0))
    output = prices.output_price_per_million_tokens or Decimal(0)
    return _rounded([_times(input_bytes + unseen_input_tokens, dearest), _times(max_output_tokens, output)])


def _by_usage(prices: Prices) -> Mapping[str, Decimal | None]:
    return {
        "input_tokens": prices.input_price_per_million_tokens,
        "output_tokens": prices.output_price_per_million_tokens,
        "cache_read_tokens": prices.cache_read_price_per_million_tokens,
        "cache_creation_tokens": prices.cache_write_price_per_million_tokens,
    }


def _times(tokens: int, price: Decimal) -> Decimal:
    return _EXACT.multiply(Decimal(min(tokens, _MAX_TOKENS)), price)


def _rounded(shares: list[Decimal]) -> int:
    total = Decimal(0)
    for share in shares:
        total = _EXACT.add(total, share)
    return min(int(total.to_integral_value(ROUND_CEILING)), MAX_MICROS)
