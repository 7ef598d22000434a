"""The configuration of a call in the words of each server, checked by the rules of the demo model."""

from dataclasses import replace
from typing import Any

import pytest

from activities.providers.demo.completions.request import read_request as read_chat
from activities.providers.demo.completions.servers import SERVERS
from activities.providers.demo.responses.request import read_request as read_response
from activities.providers.openai import PROFILES, profile_for
from activities.providers.openai.chat.options import taken_effort
from activities.providers.openai.chat.request import wire_request as chat_request
from activities.providers.openai.responses.request import wire_request as responses_request
from activities.providers.protocol import ModelRequest, ProviderTool, ToolChoice, ToolSpec
from models.effort import Effort
from models.model_options import CallConfig

from .conftest import ask, typed

EVERYTHING: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "provider_options": {
        "openai": {
            "include": ["web_search_call.action.sources"],
            "instructions": "Mind the gap.",
            "logit_bias": {"50256": -100},
            "log_probs": False,
            "top_log_probs": 3,
            "max_tool_calls": 7,
            "parallel_tool_calls": False,
            "user": "u",
            "reasoning_effort": "low",
            "reasoning_summary": "auto",
            "max_completion_tokens": 999,
            "text_verbosity": "low",
            "prediction": {"type": "content", "content": "x"},
            "store": True,
            "metadata": {"a": "b"},
            "prompt_cache_key": "k",
            "safety_identifier": "s",
            "service_tier": "flex",
            "structured_outputs": False,
            "strict_json_schema": False,
        },
        "openaicompat": {"user": "u2", "reasoning_effort": "high"},
        "openrouter": {
            "reasoning": {"exclude": False, "max_tokens": 100},
            "extra_body": {"plugins": [{"id": "web"}]},
            "include_usage": True,
            "provider": {"order": ["a"], "allow_fallbacks": False},
        },
        "vercel": {"reasoning": {"effort": "low"}, "providerOptions": {"order": ["a"]}},
        "google": {"thinking_config": {"thinking_budget": 100}},
    },
}


def configured(options: dict[str, Any] | None = None, **settings: Any) -> ModelRequest:
    return ask(typed("hello"), options=CallConfig.model_validate(options or {}), **settings)


def by_responses(request: ModelRequest) -> dict[str, Any]:
    body = responses_request(request, "openai")
    read_response(body, {})
    return body


def by_chat(request: ModelRequest, server: str = "openai") -> dict[str, Any]:
    body = chat_request(request, server, PROFILES[server])
    path = "/v1/chat/completions" if server == "openai" else f"/{server}/v1/chat/completions"
    read_chat(body, SERVERS[path])
    return body


def test_the_responses_interface_gets_its_own_options() -> None:
    body = by_responses(configured(EVERYTHING))
    assert body["include"] == [
        "reasoning.encrypted_content", "web_search_call.action.sources", "message.output_text.logprobs",
    ]  # fmt: skip
    assert body["instructions"] == "Mind the gap.\n\nBe brief."
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["text"] == {"verbosity": "low"}
    assert (body["top_logprobs"], body["max_tool_calls"], body["parallel_tool_calls"]) == (3, 7, False)
    assert (body["prompt_cache_key"], body["safety_identifier"]) == ("k", "s")
    assert (body["service_tier"], body["metadata"], body["user"]) == ("flex", {"a": "b"}, "u")
    theirs = {"logit_bias", "prediction", "max_completion_tokens", "top_k", "presence_penalty"}
    assert not theirs & set(body)


def test_the_chat_interface_gets_its_own_options() -> None:
    body = by_chat(configured(EVERYTHING))
    assert (body["logprobs"], body["top_logprobs"]) == (True, 3), "the number beats the flag"
    assert body["max_completion_tokens"] == 999
    assert "max_tokens" not in body
    assert body["prediction"] == {"type": "content", "content": "x"}
    assert (body["reasoning_effort"], body["verbosity"], body["store"]) == ("low", "low", True)
    assert body["logit_bias"] == {"50256": -100}
    assert body["messages"][0] == {"role": "developer", "content": "Be brief."}
    assert not {"include", "instructions", "max_tool_calls", "reasoning", "top_k"} & set(body)


def test_unset_fields_are_not_sent() -> None:
    assert set(by_responses(configured())) == {
        "model", "input", "max_output_tokens", "store", "include", "stream", "instructions", "tools",
    }  # fmt: skip
    assert set(by_chat(configured())) == {
        "model", "messages", "max_completion_tokens", "stream", "stream_options", "tools",
    }  # fmt: skip


def test_each_server_is_asked_in_its_own_words() -> None:
    request = configured(EVERYTHING, reasoning_effort=Effort.MEDIUM)
    router = by_chat(request, "openrouter")
    assert router["reasoning"] == {"exclude": False, "max_tokens": 100}, "a budget excludes an effort"
    assert router["provider"] == {"order": ["a"], "allow_fallbacks": False}
    assert (router["usage"], router["plugins"], router["top_k"]) == ({"include": True}, [{"id": "web"}], 40)
    vercel = by_chat(request, "vercel")
    assert vercel["reasoning"] == {"effort": "medium"}
    assert vercel["providerOptions"] == {"gateway": {"order": ["a"]}}
    google = by_chat(request, "google")
    assert google["extra_body"] == {"google": {"thinking_config": {"thinking_budget": 100}}}
    assert "reasoning_effort" not in google, "an explicit budget wins"
    plain = by_chat(request, "vllm")
    assert (plain["user"], plain["reasoning_effort"], plain["top_k"]) == ("u2", "medium", 40)
    assert plain["messages"][0]["role"] == "system"
    assert plain["max_tokens"] == 4000
    assert "reasoning_effort" not in by_chat(request, "deepseek")
    assert by_chat(request, "groq")["reasoning_effort"] == "medium"
    assert by_chat(request, "xai")["reasoning_effort"] == "low"


def test_the_effort_of_a_call_beats_that_of_the_configuration() -> None:
    request = configured(EVERYTHING, reasoning_effort=Effort.XHIGH)
    assert by_responses(request)["reasoning"]["effort"] == "xhigh"
    assert by_chat(request)["reasoning_effort"] == "xhigh"


EFFORTS = [
    ("gemini-2.5-flash", Effort.NONE, Effort.NONE),
    ("gemini-2.5-flash", Effort.MINIMAL, Effort.NONE),
    ("gemini-2.5-flash", Effort.MAX, Effort.HIGH),
    ("models/gemini-2.5-pro", Effort.NONE, Effort.LOW),
    ("gemini-3-pro-preview", Effort.MINIMAL, Effort.LOW),
    ("gemini-3-flash", Effort.NONE, Effort.MINIMAL),
    ("gemini-3-flash", Effort.XHIGH, Effort.HIGH),
]


@pytest.mark.parametrize(("model", "asked", "taken"), EFFORTS)
def test_gemini_gets_an_effort_that_it_has(model: str, asked: Effort, taken: Effort) -> None:
    assert taken_effort(asked, PROFILES["google"], model) is taken


CHOICES: list[tuple[ToolChoice | str, Any, Any]] = [
    (ToolChoice.AUTO, None, None),
    (ToolChoice.NONE, "none", "none"),
    (ToolChoice.REQUIRED, "required", "required"),
    (
        "current_time",
        {"type": "function", "name": "current_time"},
        {"type": "function", "function": {"name": "current_time"}},
    ),
]


@pytest.mark.parametrize(("choice", "responses", "chat"), CHOICES)
def test_a_choice_of_tools(choice: ToolChoice | str, responses: Any, chat: Any) -> None:
    request = configured(tool_choice=choice)
    assert by_responses(request).get("tool_choice") == responses
    assert by_chat(request).get("tool_choice") == chat
    assert len(by_responses(request)["tools"]) == 1, "the cache knows the prompt with them"


def test_schemas_are_objects_with_properties_and_without_empty_requirements() -> None:
    tools = [ToolSpec("a", "", {"required": []}), ToolSpec("b", "", {"type": "object", "required": ["x"]})]
    a, b = by_responses(configured(tools=tools))["tools"]
    assert a["parameters"] == {"type": "object", "properties": {}}
    assert b["parameters"] == {"type": "object", "properties": {}, "required": ["x"]}
    assert a["strict"] is False, "silence would be taken for consent"
    a, b = by_chat(configured(tools=tools))["tools"]
    assert a["function"] == {
        "name": "a",
        "description": "",
        "parameters": {"type": "object", "properties": {}},
    }


def test_without_tools_nothing_is_said_of_them() -> None:
    request = configured(EVERYTHING, tools=[], tool_choice=ToolChoice.NONE)
    assert not {"tools", "tool_choice"} & set(by_responses(request))
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(by_chat(request))


def test_tools_of_the_vendor_are_asked_for_with_what_they_find() -> None:
    tools = [
        ProviderTool("web_search", {"allowed_domains": ("a.org",), "search_context_size": "low"}),
        ProviderTool("code_execution"),
        ProviderTool("file_search", {"vector_store_ids": ("v",)}),
        ProviderTool("mcp", {"name": "m", "url": "https://m.org", "authorization_token": "t"}),
        ProviderTool("web_fetch"),
    ]
    body = by_responses(configured(provider_tools=tools, tools=[]))
    assert body["tools"] == [
        {"type": "web_search", "search_context_size": "low", "filters": {"allowed_domains": ["a.org"]}},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "file_search", "vector_store_ids": ["v"]},
        {
            "type": "mcp", "server_label": "m", "server_url": "https://m.org", "require_approval": "never",
            "headers": {"Authorization": "Bearer t"},
        },
    ]  # fmt: skip
    assert body["include"][1:] == [
        "web_search_call.action.sources", "code_interpreter_call.outputs", "file_search_call.results",
    ]  # fmt: skip
    assert "tools" not in by_chat(configured(provider_tools=tools, tools=[]))


def test_a_request_is_not_changed_and_shares_nothing_with_its_wire_form() -> None:
    request = configured(EVERYTHING)
    untouched = replace(request)
    body = by_chat(request, "openrouter")
    body["plugins"].append("mine")
    body["provider"]["order"].append("mine")
    by_responses(request)["metadata"]["mine"] = "x"
    assert request == untouched
    assert by_chat(request, "openrouter")["plugins"] == [{"id": "web"}]


def test_messages_of_a_user_in_a_row_are_one_where_templates_insist() -> None:
    request = ask(typed("a"), typed("b"))
    assert [m["content"] for m in by_chat(request, "vllm")["messages"][1:]] == ["a\n\nb"]
    assert [m["content"] for m in by_chat(request)["messages"][1:]] == ["a", "b"]


def test_a_server_is_known_by_its_type_or_its_address() -> None:
    assert profile_for("azure") is PROFILES["azure"]
    assert profile_for("openai-compat") is PROFILES["openai-compat"]
    assert profile_for("openai-compat", "https://models.example.org/v1") is PROFILES["openai-compat"]
    assert profile_for("openai-compat", "https://api.groq.com/openai/v1") is PROFILES["groq"]
    assert profile_for("openai-compat", "http://10.0.0.1:11434/v1") is PROFILES["ollama"]
    with pytest.raises(KeyError):
        profile_for("anthropic")
