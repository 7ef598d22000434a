"""What is sent beside the conversation, model by model."""

from typing import Any

import pytest

from activities.providers.anthropic.request import Dialect, wire_request
from activities.providers.anthropic.traits import Thinking, traits_of
from activities.providers.protocol import ModelRequest, PromptMessage, ProviderTool, ToolSpec
from models.effort import Effort
from models.model_options import CallConfig
from tests.activities.providers.request_rules.anthropic import broken_rules

from .conversation import NOON

BUDGET, MIDDLE, NEWEST = "claude-sonnet-4-5", "claude-sonnet-4-6", "claude-opus-4-8"
HELLO = [PromptMessage("user", [{"type": "text", "text": "hello"}])]
LOOK, ACT = (ToolSpec(name, "", {"type": "object", "properties": {}}) for name in ("look", "act"))


def wire(model: str, options: dict[str, Any] | None = None, **more: Any) -> tuple[dict[str, Any], list[str]]:
    """The body beside the conversation, and the beta features."""
    config = CallConfig.model_validate(options or {})
    given: dict[str, Any] = {"tools": [], "max_output_tokens": 40_000, "options": config, **more}
    sent = wire_request(
        ModelRequest(model, [], HELLO, **given), more.pop("dialect", Dialect("anthropic")), NOON
    )
    assert broken_rules(sent.body) == []
    return {k: v for k, v in sent.body.items() if k not in ("model", "messages")}, sent.betas


def own(**block: Any) -> dict[str, Any]:
    return {"provider_options": {"anthropic": block}}


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("claude-2.1", Thinking.NEVER),
        ("claude-3-5-sonnet-20241022", Thinking.NEVER),
        ("claude-3-7-sonnet-20250219", Thinking.BUDGET),
        ("claude-sonnet-4-20250514", Thinking.BUDGET),
        ("claude-opus-4-1-20250805", Thinking.BUDGET),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", Thinking.BUDGET),
        ("claude-haiku-4-5@20251001", Thinking.BUDGET),
        ("anthropic/claude-4.6-opus", Thinking.ADAPTIVE),
        ("claude-opus-4-7", Thinking.ADAPTIVE),
        ("claude-sonnet-5", Thinking.ADAPTIVE),
        ("claude-haiku-5-5", Thinking.ADAPTIVE),
        ("claude-of-tomorrow", Thinking.ADAPTIVE),
        ("demo-1", Thinking.BUDGET),
    ],
)
def test_a_name_tells_how_a_model_thinks(model: str, thinking: Thinking) -> None:
    assert traits_of(model).thinking is thinking


def test_what_is_not_configured_is_not_sent() -> None:
    for model in (BUDGET, MIDDLE, NEWEST):
        assert wire(model) == ({"max_tokens": 40_000}, [])


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        (BUDGET, Effort.NONE, {}),
        (BUDGET, Effort.MINIMAL, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (BUDGET, Effort.HIGH, {"thinking": {"type": "enabled", "budget_tokens": 16_384}}),
        ("claude-opus-4-5", Effort.MAX, {"output_config": {"effort": "high"}}),
        (MIDDLE, Effort.XHIGH, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (NEWEST, Effort.XHIGH, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}),
        (NEWEST, Effort.MINIMAL, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (NEWEST, Effort.NONE, {}),
        ("claude-3-5-haiku-latest", Effort.HIGH, {}),
    ],
)
def test_an_effort_is_asked_for_in_the_words_of_the_model(
    model: str, effort: Effort, sent: dict[str, Any]
) -> None:
    assert wire(model, reasoning_effort=effort)[0] == {"max_tokens": 40_000, **sent}


def test_the_effort_of_the_call_beats_the_one_of_the_configuration() -> None:
    assert wire(NEWEST, own(effort="max"))[0]["output_config"] == {"effort": "max"}
    assert wire(NEWEST, own(effort="max"), reasoning_effort=Effort.LOW)[0]["output_config"] == {
        "effort": "low"
    }


def test_a_budget_means_thinking_also_where_none_is_taken() -> None:
    options = own(thinking={"budget_tokens": 2000}, thinking_display="omitted")
    assert wire(BUDGET, options)[0]["thinking"] == {
        "type": "enabled",
        "budget_tokens": 2000,
        "display": "omitted",
    }
    assert wire(NEWEST, options)[0]["thinking"] == {"type": "adaptive", "display": "omitted"}


SAMPLING = {"temperature": 1.5, "top_p": 0.9, "top_k": 5, "presence_penalty": 1.0, "frequency_penalty": 1.0}


@pytest.mark.parametrize(
    ("model", "options", "sent"),
    [
        (BUDGET, SAMPLING, {"temperature": 1.0, "top_p": 0.9, "top_k": 5}),
        (BUDGET, {**SAMPLING, **own(thinking={"budget_tokens": 2000})}, {}),
        (BUDGET, {"top_p": 0.97, **own(thinking={"budget_tokens": 2000})}, {"top_p": 0.97}),
        (NEWEST, SAMPLING, {}),
    ],
)
def test_sampling_is_sent_as_far_as_the_model_takes_it(
    model: str, options: dict[str, Any], sent: dict[str, Any]
) -> None:
    body, _ = wire(model, options)
    assert {key: body[key] for key in ("temperature", "top_p", "top_k") if key in body} == sent


def test_the_beta_features_that_are_used_are_named() -> None:
    thinks = own(thinking={"budget_tokens": 2000}, context_1m_enabled=True)
    assert wire(BUDGET, thinks, tools=[LOOK])[1] == [
        "context-1m-2025-08-07",
        "interleaved-thinking-2025-05-14",
    ]
    assert wire(NEWEST, thinks, tools=[LOOK])[1] == ["context-1m-2025-08-07"]


@pytest.mark.parametrize(
    ("choice", "options", "sent"),
    [
        ("auto", {}, None),
        ("auto", own(disable_parallel_tool_use=True), {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", own(disable_parallel_tool_use=True), {"type": "none"}),
        ("required", {}, {"type": "any"}),
        ("look", own(thinking={"budget_tokens": 2000}), {"type": "tool", "name": "look"}),
    ],
)
def test_whether_a_tool_is_called(choice: str, options: dict[str, Any], sent: dict[str, Any] | None) -> None:
    assert wire(BUDGET, options, tools=[LOOK], tool_choice=choice)[0].get("tool_choice") == sent
    assert "tool_choice" not in wire(BUDGET, options, tool_choice=choice)[0]


PROVIDER_TOOLS = [
    ProviderTool("web_search", {"blocked_domains": ("a.example",), "search_context_size": "low"}),
    ProviderTool("mcp", {"name": "b", "url": "https://b.example", "authorization_token": "t"}),
    ProviderTool("mcp", {"name": "a", "url": "https://a.example", "allowed_tools": ["y", "x"]}),
    ProviderTool("file_search", {"vector_store_ids": ["v"]}),
    ProviderTool("code_execution"),
    ProviderTool("web_fetch", {"max_uses": 3, "citations": True}),
]


def test_tools_are_in_one_order_ours_first() -> None:
    body, betas = wire(NEWEST, tools=[LOOK, ACT], provider_tools=PROVIDER_TOOLS)
    assert body["tools"][:2] == [
        {"name": "act", "description": "", "input_schema": {"type": "object", "properties": {}}},
        {"name": "look", "description": "", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert body["tools"][2:] == [
        {"type": "code_execution_20250825", "name": "code_execution"},
        {
            "type": "mcp_toolset",
            "mcp_server_name": "a",
            "default_config": {"enabled": False},
            "configs": {"x": {"enabled": True}, "y": {"enabled": True}},
        },
        {"type": "mcp_toolset", "mcp_server_name": "b"},
        {
            "type": "web_fetch_20250910",
            "name": "web_fetch",
            "max_uses": 3,
            "citations": {"enabled": True},
        },
        {"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["a.example"]},
    ]
    assert body["mcp_servers"] == [
        {"type": "url", "url": "https://a.example", "name": "a"},
        {"type": "url", "url": "https://b.example", "name": "b", "authorization_token": "t"},
    ]
    assert betas == ["mcp-client-2025-11-20"]
    assert "'t'" not in repr(PROVIDER_TOOLS)


def test_an_endpoint_is_offered_what_it_runs() -> None:
    request = ModelRequest(NEWEST, [], HELLO, [], 100, provider_tools=PROVIDER_TOOLS)
    only_search = Dialect("anthropic", run_by_vendor=frozenset({"web_search"}))
    assert [t["name"] for t in wire_request(request, only_search, NOON).body["tools"]] == ["web_search"]
    assert "tools" not in wire_request(request, Dialect("anthropic", frozenset()), NOON).body
