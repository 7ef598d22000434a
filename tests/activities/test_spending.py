"""The worst case of whole requests: what has to be in it, and that it is never less than the truth."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.prompt.assemble import ModelFacts, assemble
from activities.providers.anthropic.settings import settings
from activities.providers.protocol import ModelRequest, PromptMessage, ProviderTool, ToolSpec
from activities.spending import most_it_costs
from models.chat_model import ChatModel
from models.effort import Effort
from models.model_options import CallConfig, Prices
from models.pricing import cost_micros
from models.providers import ProviderType
from models.store.transcripts import TranscriptMessage

PRICES = Prices.model_validate(
    {
        "input_price_per_million_tokens": 1,
        "output_price_per_million_tokens": 5,
        "cache_write_price_per_million_tokens": 2,
    }
)
LIMIT = 200_000


def model(prices: Prices = PRICES) -> ChatModel:
    return ChatModel(
        *(uuid4(), uuid4(), "anthropic", ProviderType.ANTHROPIC, "claude-sonnet-4-5", LIMIT, 70),
        CallConfig(),
        prices,
    )


def request(text: str = "hello", **more: Any) -> ModelRequest:
    spoken = PromptMessage("user", [{"type": "text", "text": text}])
    return replace(ModelRequest("m", [], [spoken], [], 1000, context_limit=LIMIT), **more)


def worst(of: ModelRequest) -> int:
    micros = most_it_costs(of, model())
    assert micros is not None
    return micros


def test_without_a_price_there_is_no_worst_case():
    assert most_it_costs(request(), model(Prices())) is None


@given(st.text(max_size=400), st.integers(1, 30))
def test_every_byte_that_is_said_may_be_a_token_at_the_dearest_price(words: str, times: int):
    said = words * times
    usage = {"cache_creation_tokens": len(said.encode("utf-8", "replace")), "output_tokens": 1000}
    assert worst(request(said)) >= (cost_micros(usage, PRICES) or 0)


def test_tools_and_system_prompts_are_said_too():
    tool = ToolSpec("look", "d" * 500, {"type": "object"})
    plain = worst(request())
    assert worst(request(tools=[tool])) >= plain + 2 * 500
    assert worst(request(system=["s" * 700])) >= plain + 2 * 700


@pytest.mark.parametrize(
    "unseen",
    [
        {"previous_response_id": "resp_1"},
        {"provider_tools": [ProviderTool("web_search")]},
        {"messages": [PromptMessage("user", [{"type": "file", "media_type": "image/png", "data": "AAAA"}])]},
    ],
)
def test_what_is_not_told_as_text_counts_as_all_that_the_model_takes(unseen: dict[str, Any]):
    assert worst(request(**unseen)) >= 2 * LIMIT


@pytest.mark.parametrize("effort", [None, *Effort])
@pytest.mark.parametrize("room", [100, 5000, 32_000])
def test_the_answer_is_as_long_as_the_vendor_is_told_it_may_be(effort: Effort | None, room: int):
    config = CallConfig.model_validate({"reasoning_effort": {"default": "low", "max": "max"}})
    row = TranscriptMessage(1, "user", [{"type": "text", "text": "hi"}], None)
    facts = ModelFacts("claude-sonnet-4-5", room, reasoning_effort=effort, options=config)
    asked = assemble([row], facts)
    assert worst(asked) >= settings(asked)["max_tokens"] * 5
