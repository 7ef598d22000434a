"""Prices in effect: what an administrator says, else what is known, else none."""

from decimal import Decimal

from models.model_options import CallConfig, Prices
from models.pricing import is_priced
from models.providers import ProviderType
from runtime.known_models import prices_in_effect


def test_an_administrators_price_holds_alone():
    own = CallConfig.model_validate({"cost": {"output_price_per_million_tokens": "0"}})
    found = prices_in_effect(ProviderType.ANTHROPIC, "claude-sonnet-4-5", own)
    assert found == Prices(output_price_per_million_tokens=Decimal(0))


def test_a_model_without_a_price_costs_what_is_known_of_it():
    found = prices_in_effect(ProviderType.ANTHROPIC, "claude-sonnet-4-5", CallConfig())
    assert found.input_price_per_million_tokens == Decimal(3)
    assert found.output_price_per_million_tokens == Decimal(15)


def test_a_model_that_nobody_knows_has_no_price():
    for provider in (ProviderType.ANTHROPIC, ProviderType.OPENAI_COMPATIBLE):
        assert not is_priced(prices_in_effect(provider, "our-own-model", CallConfig()))
