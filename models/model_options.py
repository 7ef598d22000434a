"""What is sent with every call of a configured model (spec chat-loop.md 3.3, 3.4). Pure.

A `CallConfig` is read from JSON where an administrator writes it and where it is stored, and nowhere
changed: it is frozen through and through. Fields that are not set are neither stored nor sent.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self, cast

from pydantic import Field, model_validator

from models.effort import Effort, efforts_up_to, known_effort
from models.vendor_options import Options, ProviderOptions

_Price = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=9)]
_Penalty = Annotated[float, Field(ge=-2, le=2)]

_PRICES = (
    "input_price_per_million_tokens",
    "output_price_per_million_tokens",
    "cache_read_price_per_million_tokens",
    "cache_write_price_per_million_tokens",
)


class Prices(Options):
    """Dollars per million tokens. None is no price, which is not a price of zero."""

    input_price_per_million_tokens: _Price | None = None
    output_price_per_million_tokens: _Price | None = None
    cache_read_price_per_million_tokens: _Price | None = None
    cache_write_price_per_million_tokens: _Price | None = None


class EffortRange(Options):
    """The effort of a call that asks for none, and the most a call may ask for."""

    default: Effort
    max: Effort

    @model_validator(mode="after")
    def _default_within(self) -> Self:
        if self.default.rank > self.max.rank:
            raise ValueError("default must not be above max")
        return self


class OpenAIConfig(Options):
    """Which of the two interfaces of OpenAI to speak; unset: Responses, for openai and azure."""

    use_responses_api: bool | None = None


class CallConfig(Options):
    """The call configuration of a model. Written by administrators as JSON of this shape."""

    max_output_tokens: Annotated[int, Field(gt=0, le=2**31 - 1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(gt=0, le=2**31 - 1)] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    cost: Prices = Prices()
    reasoning_effort: EffortRange | None = None
    openai_config: OpenAIConfig = OpenAIConfig()
    provider_options: ProviderOptions = ProviderOptions()

    @model_validator(mode="before")
    @classmethod
    def _older_prices(cls, given: Any) -> Any:
        """Prices once stood at the top; they are read there where `cost` does not say the same."""
        if not isinstance(given, Mapping):
            return given
        fields = dict(cast("Mapping[str, Any]", given))
        older = {name: fields.pop(name) for name in _PRICES if name in fields}
        cost = fields.get("cost")
        if older and (cost is None or isinstance(cost, Mapping)):
            fields["cost"] = {**older, **cast("Mapping[str, Any]", cost or {})}
        return fields

    def selectable_efforts(self) -> tuple[Effort, ...]:
        """What a chat may ask of this model, in order; empty where it takes no effort."""
        return efforts_up_to(self.reasoning_effort.max) if self.reasoning_effort else ()


def effective_effort(asked: str | None, config: CallConfig) -> Effort | None:
    """The effort of a call.

    Args:
        asked: what the chat asks for; a word that is not on the scale counts as nothing.
        config: of the model. Without a range in it, whatever is asked is ignored.

    Returns:
        What was asked, or else the model's default, and never more than the model's most; None to send none.
    """
    bounds = config.reasoning_effort
    if bounds is None:
        return None
    return min(known_effort(asked) or bounds.default, bounds.max, key=lambda effort: effort.rank)
