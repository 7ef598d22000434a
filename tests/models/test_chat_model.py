"""What follows from how a model is configured."""

from typing import Any
from uuid import uuid4

import pytest

from models.chat_model import ChatModel
from models.model_options import CallConfig
from models.providers import ProviderType

REMEMBERED: list[tuple[ProviderType, dict[str, Any], bool]] = [
    (ProviderType.OPENAI, {}, True),
    (ProviderType.AZURE, {}, True),
    (ProviderType.OPENAI, {"provider_options": {"openai": {"store": False}}}, False),
    (ProviderType.OPENAI, {"openai_config": {"use_responses_api": False}}, False),
    (ProviderType.OPENAI_COMPATIBLE, {}, False),
    (ProviderType.ANTHROPIC, {}, False),
]


@pytest.mark.parametrize(("provider_type", "config", "remembered"), REMEMBERED)
def test_only_a_vendor_that_stores_answers_remembers_them(
    provider_type: ProviderType, config: dict[str, Any], remembered: bool
) -> None:
    options = CallConfig.model_validate(config)
    model = ChatModel(uuid4(), uuid4(), "p", provider_type, "m", 1000, 70, options)
    assert model.is_remembered is remembered
