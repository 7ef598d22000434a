"""Which tools of a vendor a configuration turns on."""

import pytest

from activities.prompt.provider_tools import configured
from activities.providers.protocol import ProviderTool
from models.model_options import CallConfig


def options(**blocks: dict[str, object]) -> CallConfig:
    return CallConfig.model_validate({"provider_options": blocks})


@pytest.mark.parametrize("provider_type", ["anthropic", "openai", "azure", "google", "openrouter", "bedrock"])
def test_web_search_is_off_unless_it_is_turned_on(provider_type: str) -> None:
    assert configured(CallConfig(), provider_type) == []


def test_every_vendor_reads_its_own_block() -> None:
    given = options(
        anthropic={"web_search_enabled": True, "blocked_domains": ["a.example"]},
        openai={"web_search_enabled": True, "search_context_size": "low", "allowed_domains": ["b.example"]},
        google={"web_search_enabled": True},
    )
    on_openai = {"allowed_domains": ("b.example",), "search_context_size": "low"}
    assert configured(given, "anthropic") == [ProviderTool("web_search", {"blocked_domains": ("a.example",)})]
    assert configured(given, "openai") == [ProviderTool("web_search", on_openai)]
    assert configured(given, "azure") == [ProviderTool("web_search", on_openai)]
    assert configured(given, "google") == [ProviderTool("web_search", {})]
    assert configured(given, "openrouter") == []
