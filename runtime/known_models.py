"""What is publicly known of models: names, context limits, prices, from the data of genai-prices.

What is taken from here is written into a model's configuration, where it can be changed; only prices count
without that, for models that were configured without any. The data is the one that was installed, and nothing
is fetched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, TieredPrices

from models.model_options import CallConfig, Prices
from models.pricing import is_priced
from models.providers import ProviderType

_SOURCES = {
    ProviderType.ANTHROPIC: "anthropic",
    ProviderType.AZURE: "azure",
    ProviderType.BEDROCK: "aws",
    ProviderType.GOOGLE: "google",
    ProviderType.OPENAI: "openai",
    ProviderType.OPENROUTER: "openrouter",
    ProviderType.VERTEX: "google",
}

USUAL_CONTEXT_LIMIT = 128_000
"""Tokens that a model takes of which nobody knows better: what most take."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model. `context_limit` in tokens; None where nobody has written it down."""

    model: str
    display_name: str
    context_limit: int | None
    prices: Prices


def known_model(provider: ProviderType, model: str) -> KnownModel | None:
    """What is known of a model under the name by which this kind of provider knows it."""
    source = _SOURCES.get(provider)
    if source is None:
        return None
    try:
        _, info = get_snapshot().find_provider_model(model, None, source, None)
    except LookupError:
        return None
    return _known(info, model)


def prices_in_effect(provider: ProviderType, model: str, config: CallConfig) -> Prices:
    """What an administrator says that a model costs; if that is nothing, what is known of it; if that is
    nothing, too, there is no price."""
    return config.cost if is_priced(config.cost) else _known_prices(provider, model)


@lru_cache(maxsize=256)
def _known_prices(provider: ProviderType, model: str) -> Prices:
    found = known_model(provider, model)
    return found.prices if found else Prices()


def known_models(provider: ProviderType) -> Sequence[KnownModel]:
    """All that is known of a kind of provider, by name."""
    source = _SOURCES.get(provider)
    for listed in get_snapshot().providers:
        if listed.id == source:
            current = (info for info in listed.models if not info.deprecated)
            return sorted((_known(info, info.id) for info in current), key=lambda known: known.model.lower())
    return ()


def _known(info: ModelInfo, model: str) -> KnownModel:
    price = info.get_prices(datetime.now(UTC))
    return KnownModel(
        model=model,
        display_name=info.name or model,
        context_limit=info.context_window,
        prices=Prices(
            input_price_per_million_tokens=_usual(price.input_mtok),
            output_price_per_million_tokens=_usual(price.output_mtok),
            cache_read_price_per_million_tokens=_usual(price.cache_read_mtok),
            cache_write_price_per_million_tokens=_usual(price.cache_write_mtok),
        ),
    )


def _usual(price: Decimal | TieredPrices | None) -> Decimal | None:
    """The price of a call of usual size; long contexts may cost more."""
    return price.base if isinstance(price, TieredPrices) else price
