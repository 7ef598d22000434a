"""Which tools of a vendor a configuration turns on."""

import pytest
from pydantic import ValidationError

from activities.prompt.provider_tools import configured
from activities.providers.protocol import ProviderTool
from models.model_options import CallConfig
from models.providers import ProviderType


def options(**blocks: dict[str, object]) -> CallConfig:
    return CallConfig.model_validate({"provider_options": blocks})


@pytest.mark.parametrize("provider_type", list(ProviderType))
def test_nothing_is_on_unless_it_is_turned_on(provider_type: ProviderType) -> None:
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
    assert configured(given, "vertex") == configured(given, "anthropic")
    assert configured(given, "openrouter") == []
    routed = options(openrouter={"web_search_enabled": True, "blocked_domains": ["a.example"]})
    assert configured(routed, "openrouter") == [
        ProviderTool("web_search", {"blocked_domains": ("a.example",)})
    ]


def test_whatever_else_a_vendor_runs_is_turned_on_one_by_one() -> None:
    server = {"name": "notes", "url": "https://notes.example/mcp", "allowed_tools": ["look"]}
    mcp = ProviderTool("mcp", {**server, "allowed_tools": ("look",)})
    given = options(
        anthropic={
            "web_fetch_enabled": True,
            "code_execution_enabled": True,
            "mcp_servers": [server],
            "allowed_domains": ["a.example"],
        },
        openai={"code_interpreter_enabled": True, "vector_store_ids": ["vs_1"], "mcp_servers": [server]},
    )
    assert configured(given, "anthropic") == [
        ProviderTool("web_fetch", {"citations": True, "allowed_domains": ("a.example",)}),
        ProviderTool("code_execution"),
        mcp,
    ]
    assert configured(given, "openai") == [
        ProviderTool("code_execution"),
        ProviderTool("file_search", {"vector_store_ids": ("vs_1",)}),
        mcp,
    ]


@pytest.mark.parametrize(
    "server",
    [
        {"name": "notes", "url": "http://notes.example"},
        {"name": "no tes", "url": "https://notes.example"},
        {"name": "notes", "url": "https://notes.example", "authorization_token": "secret"},
    ],
)
def test_a_server_of_tools_is_named_reached_safely_and_brings_no_secret(server: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        options(anthropic={"mcp_servers": [server]})
