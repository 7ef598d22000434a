"""Whole requests, as they go out: one conversation told to every kind of server, with what each does its way.

Whatever changes in a request changes here, so that it is looked at.
"""

from dataclasses import replace
from typing import Any

import pytest

from activities.providers.openai import PROFILES
from activities.providers.openai.chat.request import wire_request as chat_request
from activities.providers.openai.responses.request import wire_request as responses_request
from activities.providers.protocol import ModelRequest, PromptMessage, ProviderTool, ToolSpec
from models.effort import Effort
from models.model_options import CallConfig

Part = dict[str, Any]
Body = dict[str, Any]

SCHEMA: Body = {"type": "object", "properties": {"zone": {"type": "string"}}}
CONFIG = CallConfig.model_validate(
    {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "presence_penalty": 0.1, "frequency_penalty": 0.2}
)


def text(words: str) -> Part:
    return {"type": "text", "text": words}


def file(media_type: str, data: str, name: str) -> Part:
    return {"type": "file", "media_type": media_type, "data": data, "name": name}


def call(call_id: str, **more: Any) -> Part:
    return {"type": "tool-call", "tool_call_id": call_id, "tool_name": "look", "args": {"zone": "x"}, **more}


def result(call_id: str, value: Any, **more: Any) -> Part:
    named = {"tool_call_id": call_id, "tool_name": "look"}
    return {"type": "tool-result", **named, "result": value, **more}


def conversation(label: str, own: dict[str, Part]) -> ModelRequest:
    """A chat that has seen everything, with what the endpoint of this label keeps beside its parts."""

    def kept(name: str) -> dict[str, Any]:
        return {"provider_metadata": {label: own[name]}} if name in own else {}

    picture = {"media_type": "image/png", "data": "UE5H", "text": "a clock"}
    claude: dict[str, Any] = {"provider_executed": True, "provider_metadata": {"anthropic": {"block": {}}}}
    messages = [
        PromptMessage("user", [text("Look."), file("image/png", "UE5H", "a.png")]),
        PromptMessage("user", [file("application/pdf", "UERG", "b.pdf")]),
        PromptMessage(
            "assistant",
            [
                {"type": "reasoning", "text": "Hm.", **kept("reasoning")},
                text("I look.") | kept("text"),
                call("a") | kept("call"),
                call("b"),
            ],
        ),
        PromptMessage("tool", [result("a", {"hour": 12}), result("b", picture, is_media=True)]),
        PromptMessage("assistant", [text("Noon.")]),
        PromptMessage("user", [text("And there?")]),
        PromptMessage(
            "assistant",
            [
                call("srv", **claude),
                result("srv", "found", **claude),
                {"type": "reasoning", "text": "So.", **kept("reasoning")},
                call("c"),
            ],
        ),
        PromptMessage("tool", [result("c", "", is_error=True)]),
    ]
    return ModelRequest(
        "m",
        ["Be brief.", "Be kind."],
        messages,
        [ToolSpec("look", "Looks.", {**SCHEMA, "required": []})],
        4000,
        reasoning_effort=Effort.XHIGH,
        options=CONFIG,
        provider_tools=[ProviderTool("web_search", {"search_context_size": "low"})],
    )


SEARCH_OF_CLAUDE = '(look was run by the model\'s provider with {"zone":"x"})'
IMAGE = "data:image/png;base64,UE5H"
PAPER = "data:application/pdf;base64,UERG"


def test_to_the_responses_interface() -> None:
    reasoning: Part = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "e"}
    own: dict[str, Part] = {
        "reasoning": {"block": reasoning},
        "text": {"id": "msg", "phase": "commentary", "annotations": [{"type": "url_citation", "url": "u"}]},
        "call": {"id": "fc", "caller": {"type": "program"}},
    }
    request = conversation("openai", {name: {**kept, "stored": True} for name, kept in own.items()})
    looks = {"type": "function_call", "name": "look", "arguments": '{"zone":"x"}'}
    said = {"type": "message", "role": "assistant"}
    whole: Body = {
        "model": "m",
        "instructions": "Be brief.\n\nBe kind.",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look."},
                    {"type": "input_image", "image_url": IMAGE, "detail": "auto"},
                ],
            },
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_file", "filename": "b.pdf", "file_data": PAPER}],
            },
            reasoning,
            {
                **said,
                "id": "msg",
                "status": "completed",
                "phase": "commentary",
                "content": [
                    {
                        "type": "output_text",
                        "text": "I look.",
                        "annotations": [{"type": "url_citation", "url": "u"}],
                    }
                ],
            },
            {**looks, "id": "fc", "call_id": "a", "caller": {"type": "program"}},
            {**looks, "call_id": "b"},
            {"type": "function_call_output", "call_id": "a", "output": '{"hour":12}'},
            {
                "type": "function_call_output",
                "call_id": "b",
                "output": [
                    {"type": "input_text", "text": "a clock"},
                    {"type": "input_image", "image_url": IMAGE, "detail": "auto"},
                ],
            },
            {**said, "content": [{"type": "output_text", "text": "Noon."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And there?"}]},
            {**said, "content": [{"type": "output_text", "text": SEARCH_OF_CLAUDE}]},
            {**said, "content": [{"type": "output_text", "text": "(look answered: found)"}]},
            reasoning,
            {**looks, "call_id": "c"},
            {"type": "function_call_output", "call_id": "c", "output": "The tool failed."},
        ],
        "tools": [
            {
                "type": "function",
                "name": "look",
                "description": "Looks.",
                "parameters": SCHEMA,
                "strict": False,
            },
            {"type": "web_search", "search_context_size": "low"},
        ],
        "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
        "max_output_tokens": 4000,
        "reasoning": {"effort": "xhigh"},
        "store": True,
        "stream": True,
        "temperature": 0.5,
        "top_p": 0.9,
    }
    assert responses_request(request, "openai") == whole


LOOK_TOOL: Body = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA},
}
ALIKE: Body = {
    "model": "m",
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "top_p": 0.9,
    "tools": [LOOK_TOOL],
}
PENALTIES: Body = {"presence_penalty": 0.1, "frequency_penalty": 0.2}
PLAIN: Body = {"max_tokens": 4000, **PENALTIES}

SETTINGS: dict[str, Body] = {
    "openai": {
        "max_completion_tokens": 4000,
        **PENALTIES,
        "reasoning_effort": "xhigh",
        "web_search_options": {"search_context_size": "low"},
    },
    "azure": {"max_completion_tokens": 4000, **PENALTIES, "reasoning_effort": "xhigh"},
    "openai-compat": {**PLAIN, "reasoning_effort": "xhigh"},
    "google": {"max_tokens": 4000, "reasoning_effort": "high"},
    "openrouter": {
        **PLAIN,
        "top_k": 40,
        "reasoning": {"effort": "xhigh"},
        "tools": [
            LOOK_TOOL,
            {"type": "openrouter:web_search", "parameters": {"search_context_size": "low"}},
        ],
    },
    "vercel": {**PLAIN, "reasoning": {"effort": "xhigh"}},
    "vllm": {**PLAIN, "top_k": 40, "reasoning_effort": "xhigh"},
    "ollama": {**PLAIN, "reasoning_effort": "high"},
    "groq": {"max_completion_tokens": 4000, **PENALTIES, "reasoning_effort": "high"},
    "xai": {"max_completion_tokens": 4000, "reasoning_effort": "high"},
    "deepseek": PLAIN,
}
"""By the profile of a server: what it is sent beside messages, and beside what all of them are sent."""

DETAILS = [{"type": "reasoning.text", "text": "Hm.", "signature": "s"}]
WITHOUT_PICTURES = "[file a.png: this model cannot read files of type image/png]"
WITHOUT_PAPERS = "[file b.pdf: this model cannot read files of type application/pdf]"


def told(server: str) -> list[Body]:
    """The messages, by the rules of the server."""
    image: Body = {"type": "image_url", "image_url": {"url": IMAGE}}
    paper: Body = {"type": "file", "file": {"filename": "b.pdf", "file_data": PAPER}}
    shown = (
        [image]
        if server != "deepseek"
        else [text("[file a.png: this model cannot read files of type image/png]")]
    )
    read = [paper] if server in ("openai", "azure", "openrouter", "vercel") else [text(WITHOUT_PAPERS)]
    asked: list[Body] = [{"role": "user", "content": [text("Look."), *shown, *read]}]
    if server in ("openai", "azure"):
        asked = [{"role": "user", "content": [text("Look."), image]}, {"role": "user", "content": [paper]}]
    elif server == "deepseek":
        words = [part["text"] for part in asked[0]["content"]]
        asked = [{"role": "user", "content": "\n\n".join(("\n\n".join(words[:2]), words[2]))}]
    function = {"type": "function", "function": {"name": "look", "arguments": '{"zone":"x"}'}}
    signed: Body = {"reasoning_details": DETAILS} if server in ("openrouter", "vercel") else {}
    thought: Body = {"reasoning_content": "So."} if server in ("vllm", "deepseek") else {}
    media = "a clock\n(The file follows in the next message.)"
    follows: list[Body] = [{"role": "user", "content": [text("[tool look, call b]"), image]}]
    if server == "deepseek":
        media, follows = "a clock\n[a file of type image/png that cannot be shown]", []
    return [
        {
            "role": "developer" if server in ("openai", "azure") else "system",
            "content": "Be brief.\n\nBe kind.",
        },
        *asked,
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "a", **function, "extra_content": {"g": 1}}, {"id": "b", **function}],
            **signed,
        },
        {"role": "tool", "tool_call_id": "a", "content": '{"hour":12}'},
        {"role": "tool", "tool_call_id": "b", "content": media},
        *follows,
        {"role": "assistant", "content": "Noon."},
        {"role": "user", "content": "And there?"},
        {
            "role": "assistant",
            "content": f"{SEARCH_OF_CLAUDE}\n\n(look answered: found)",
            "tool_calls": [{"id": "c", **function}],
            **signed,
            **thought,
        },
        {"role": "tool", "tool_call_id": "c", "content": "The tool failed."},
    ]


@pytest.mark.parametrize("server", list(PROFILES))
def test_to_a_server_that_speaks_chat_completions(server: str) -> None:
    own = {
        "reasoning": {"field": "reasoning", "reasoning_details": DETAILS},
        "call": {"extra_content": {"g": 1}},
    }
    body = chat_request(conversation("here", own), "here", PROFILES[server])
    messages = body.pop("messages")
    assert messages == told(server)
    assert body == {**ALIKE, **SETTINGS[server]}


def test_every_kind_of_server_has_settings_of_its_own() -> None:
    assert set(SETTINGS) == set(PROFILES)


def test_a_search_alone_is_a_list_of_tools_without_a_choice() -> None:
    request = replace(conversation("here", {}), tools=[], tool_choice="look")
    body = chat_request(request, "here", PROFILES["openrouter"])
    assert [tool["type"] for tool in body["tools"]] == ["openrouter:web_search"]
    assert "tool_choice" not in body
    assert "tools" not in chat_request(request, "here", PROFILES["openai"])
