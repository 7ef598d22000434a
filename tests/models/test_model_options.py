"""Call configurations: what is refused, what is kept, how hard a model thinks."""

import copy
import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.effort import Effort
from models.frozen_json import freeze
from models.model_options import CallConfig, effective_effort

FULL: dict[str, Any] = {
    "max_output_tokens": 32000,
    "temperature": 0.5,
    "cost": {"input_price_per_million_tokens": "3", "cache_read_price_per_million_tokens": "0.3"},
    "reasoning_effort": {"default": "low", "max": "high"},
    "openai_config": {"use_responses_api": False},
    "provider_options": {
        "openai": {"store": False, "logit_bias": {"50256": -100}, "metadata": {"team": "a"}},
        "anthropic": {"thinking": {"budget_tokens": 2048}, "web_search_enabled": True},
        "openrouter": {"extra_body": {"plugins": [{"id": "web"}]}, "provider": {"order": ["a", "b"]}},
        "vercel": {"providerOptions": {"models": ["x"]}},
    },
}


def _path_of(config: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as refused:
        CallConfig.model_validate(config)
    return ".".join(str(step) for step in refused.value.errors()[0]["loc"])


def test_what_was_written_is_what_is_stored() -> None:
    config = CallConfig.model_validate(FULL)
    assert json.loads(json.dumps(config.stored())) == FULL
    assert CallConfig.model_validate(config.stored()) == config


@pytest.mark.parametrize(
    "empty", [{}, {"cost": {}}, {"provider_options": {"openai": {}, "google": None}}, {"top_p": None}]
)
def test_nothing_set_is_nothing_stored(empty: dict[str, Any]) -> None:
    assert CallConfig.model_validate(empty).stored() == {}


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"temprature": 1}, "temprature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"cost": {"input_price_per_million_tokens": "-1"}}, "cost.input_price_per_million_tokens"),
        ({"reasoning_effort": {"default": "low"}}, "reasoning_effort.max"),
        ({"reasoning_effort": {"default": "low", "max": "huge"}}, "reasoning_effort.max"),
        ({"reasoning_effort": {"default": "max", "max": "low"}}, "reasoning_effort"),
        ({"provider_options": {"mistral": {}}}, "provider_options.mistral"),
        ({"provider_options": {"openai": {"stroe": True}}}, "provider_options.openai.stroe"),
        (
            {"provider_options": {"anthropic": {"thinking_display": "full"}}},
            "provider_options.anthropic.thinking_display",
        ),
        (
            {"provider_options": {"anthropic": {"allowed_domains": ["a"], "blocked_domains": ["b"]}}},
            "provider_options.anthropic",
        ),
        (
            {"provider_options": {"google": {"thinking_config": {"thinking_level": "huge"}}}},
            "provider_options.google.thinking_config.thinking_level",
        ),
        (
            {
                "provider_options": {
                    "google": {"thinking_config": {"thinking_level": "low", "thinking_budget": 5}}
                }
            },
            "provider_options.google.thinking_config",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_path(config: dict[str, Any], path: str) -> None:
    assert _path_of(config) == path


def test_prices_at_the_top_are_read_and_those_in_cost_win() -> None:
    config = CallConfig.model_validate(
        {
            "input_price_per_million_tokens": 3,
            "output_price_per_million_tokens": 0.1,
            "cost": {"input_price_per_million_tokens": "5"},
        }
    )
    assert config.cost.input_price_per_million_tokens == Decimal(5)
    assert config.cost.output_price_per_million_tokens == Decimal("0.1")
    assert config.cost.cache_read_price_per_million_tokens is None


def test_nothing_of_a_configuration_can_be_changed() -> None:
    body = CallConfig.model_validate(FULL).provider_options.openrouter.extra_body
    assert body is not None
    for change in (
        lambda: body.__setitem__("a", 1),  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType, reportAttributeAccessIssue]
        lambda: body["plugins"][0].update(id="none"),
        lambda: body["plugins"].append({}),
    ):
        with pytest.raises((TypeError, AttributeError)):
            change()
    assert orjson.loads(orjson.dumps(body)) == {"plugins": [{"id": "web"}]}
    assert copy.deepcopy(body) == body
    assert json.loads(json.dumps(body)) == {"plugins": [{"id": "web"}]}


def test_nesting_without_end_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="deeper"):
        freeze(deep)


_EFFORTS = st.sampled_from(list(Effort))


@given(st.one_of(st.none(), st.text(), _EFFORTS), _EFFORTS, _EFFORTS)
def test_the_effort_is_on_the_scale_and_never_above_the_most(asked: str | None, a: Effort, b: Effort) -> None:
    default, most = sorted((a, b), key=lambda effort: effort.rank)
    config = CallConfig.model_validate({"reasoning_effort": {"default": default, "max": most}})
    effort = effective_effort(asked, config)
    assert effort in config.selectable_efforts()
    if asked in config.selectable_efforts():
        assert effort == asked
    elif asked not in list(Effort):
        assert effort is default
    else:
        assert effort is most


def test_a_model_without_a_range_is_sent_no_effort() -> None:
    assert effective_effort("high", CallConfig()) is None
    assert CallConfig().selectable_efforts() == ()
