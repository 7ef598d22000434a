"""What the demo model refuses in OpenAI's protocols, and that the rules of the tests find it, too."""

import copy
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from activities.providers.demo import DemoModel

from ..request_rules import completions, responses

Body = dict[str, Any]
Change = Callable[[Body], Any]

SCHEMA: Body = {"type": "object", "properties": {"x": {"type": "string"}}}

RESPONSE: Body = {
    "model": "demo",
    "max_output_tokens": 100,
    "include": ["reasoning.encrypted_content"],
    "store": False,
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "time?"}]},
        {"type": "function_call", "call_id": "call_1", "name": "clock", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "noon"},
    ],
    "tools": [
        {"type": "function", "name": "clock", "description": "", "parameters": SCHEMA, "strict": False}
    ],
}

COMPLETION: Body = {
    "model": "demo",
    "max_completion_tokens": 100,
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "time?"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "noon"},
    ],
    "tools": [{"type": "function", "function": {"name": "clock", "description": "", "parameters": SCHEMA}}],
}

PNG = "data:image/png;base64,aGVsbG8="
PICTURE = {"type": "image_url", "image_url": {"url": PNG}}


def put(place: str, value: Any) -> Change:
    """Set what is at a place like `input.1.name`; past the end of a list it is added, None takes it away."""

    def change(body: Body) -> None:
        *path, last = (int(step) if step.isdigit() else step for step in place.split("."))
        inside: Any = body
        for step in path:
            inside = inside[step]
        if value is None:
            del inside[last]
        elif last == len(inside):
            inside.append(value)
        else:
            inside[last] = value

    return change


def said(role: str, *content: Any) -> Body:
    return {"type": "message", "role": role, "content": list(content)}


REASONING: Body = {"type": "reasoning", "summary": [], "encrypted_content": "forged"}

RESPONSES: list[tuple[Change, str]] = [
    (put("messages", []), "Unknown parameter: 'messages'"),
    (put("model", ""), "you must provide a model"),
    (put("input", None), "Missing required parameter: 'input'"),
    (put("input", []), "Missing required parameter: 'input'"),
    (put("max_output_tokens", 3), "below minimum"),
    (put("include", ["everything"]), "Invalid value"),
    (put("reasoning", {"effort": "lots"}), "Invalid value: 'lots'"),
    (put("tool_choice", "maybe"), "Invalid value: 'maybe'"),
    (put("tools.0.function", {}), "Unknown parameter: 'tools[0].function'"),
    (put("tools.0.type", "magic"), "Invalid value: 'magic'"),
    (put("tools.0.name", "a b"), "does not match pattern"),
    (put("tools.0.parameters", {"type": "object"}), "missing properties"),
    (put("tools.0.parameters", {"type": "string"}), "JSON Schema of"),
    (put("tools.0.parameters", {**SCHEMA, "required": False}), "is not of type 'array'"),
    (put("tools.0.strict", True), "additionalProperties"),
    (put("tools.1", copy.deepcopy(RESPONSE["tools"][0])), "must be unique"),
    (put("input.1.color", "red"), "Unknown parameter: 'input[1].color'"),
    (put("input.1.type", "spell"), "Invalid value: 'spell'"),
    (put("input.1.call_id", None), "Missing required parameter"),
    (put("input.1.call_id", "x" * 65), "string too long"),
    (put("input.1.id", "call_1"), "begins with 'fc'"),
    (put("input.1.id", "fc_1"), "Item with id 'fc_1' not found"),
    (put("input.2", None), "No tool output found for function call call_1"),
    (put("input.1", None), "No tool call found for function call output"),
    (put("input.3", copy.deepcopy(RESPONSE["input"][1])), "Duplicate function call"),
    (put("input.0.role", "tool"), "Invalid value: 'tool'"),
    (put("input.0.content", []), "Invalid type"),
    (put("input.0.content.0.type", "output_text"), "Invalid value: 'output_text'"),
    (put("input.0.content.1", {"type": "input_image", "image_url": "a.png"}), "valid URL"),
    (put("input.0.content.1", {"type": "input_file", "file_data": PNG}), "file_data"),
    (put("input.2.output", []), "Invalid type"),
    (put("input.3", REASONING), "could not be verified"),
    (put("input.3", {"type": "reasoning", "summary": []}), "needs an id or its encrypted content"),
    (put("previous_response_id", "resp_gone"), "Previous response with id 'resp_gone' not found"),
]

COMPLETIONS: list[tuple[Change, str]] = [
    (put("input", []), "Unrecognized request argument supplied: input"),
    (put("model", ""), "you must provide a model"),
    (put("messages", []), "too short"),
    (put("max_tokens", 5), "at the same time"),
    (put("messages.0.role", "system"), "Invalid value: 'system'"),
    (put("messages.0.role", "wizard"), "Invalid value: 'wizard'"),
    (put("messages.0.content", ""), "Invalid type"),
    (put("messages.1.content.0.type", "input_text"), "Invalid value: 'input_text'"),
    (put("messages.1.content.1", {"type": "image_url", "image_url": {"url": "a.png"}}), "Invalid image URL"),
    (put("messages.1.content.1", {"type": "file", "file": {"file_data": "x"}}), "Invalid file data"),
    (put("messages.2.tool_calls", []), "too short"),
    (put("messages.2.tool_calls.0.function.arguments", {}), "Invalid 'messages.[2].tool_calls'"),
    (put("messages.2.tool_calls.0.id", "x" * 41), "too long"),
    (put("messages.2.tool_calls", None), "expected a string, got null"),
    (put("messages.2.reasoning_content", "hm"), "Additional properties"),
    (put("messages.3", None), "did not have response messages: call_1"),
    (put("messages.3.tool_call_id", None), "Missing parameter 'tool_call_id'"),
    (put("messages.3.tool_call_id", "call_2"), "must be a response to a preceeding message"),
    (
        put("messages.3.content", [{"type": "image_url", "image_url": {"url": PNG}}]),
        "Invalid value: 'image_url'",
    ),
    (put("tools", []), "too short"),
    (put("tools.0.function", None), "Missing required parameter: 'tools[0].function'"),
    (put("tools.0.function.name", "a b"), "Invalid 'tools[0].function.name'"),
    (put("tools.0.function.parameters", {"type": "object"}), "missing properties"),
    (put("tools.0.function.strict", True), "additionalProperties"),
    (put("tools.1", copy.deepcopy(COMPLETION["tools"][0])), "must be unique"),
]


@pytest.fixture
async def openai_http(model: DemoModel) -> Any:
    headers = {"authorization": "Bearer demo-secret"}
    async with httpx2.AsyncClient(base_url=model.openai_url, headers=headers, trust_env=False) as http:
        yield http


async def refusal(http: httpx2.AsyncClient, path: str, good: Body, change: Change) -> str:
    body = copy.deepcopy(good)
    assert (await http.post(path, json=body)).status_code == 200
    change(body)
    answer = await http.post(path, json=body)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["type"] == "invalid_request_error"
    return answer.json()["error"]["message"]


@pytest.mark.parametrize(("change", "words"), RESPONSES)
async def test_a_response_is_refused(openai_http: httpx2.AsyncClient, change: Change, words: str) -> None:
    assert words in await refusal(openai_http, "/responses", RESPONSE, change)


@pytest.mark.parametrize(("change", "words"), COMPLETIONS)
async def test_a_completion_is_refused(openai_http: httpx2.AsyncClient, change: Change, words: str) -> None:
    assert words in await refusal(openai_http, "/chat/completions", COMPLETION, change)


async def test_without_a_key_nothing_is_looked_at(openai_http: httpx2.AsyncClient) -> None:
    for path in ("/responses", "/chat/completions"):
        answer = await openai_http.post(path, headers={"authorization": ""}, content=b"{")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_an_answer_is_told_whole_to_a_client_without_a_stream(openai_http: httpx2.AsyncClient) -> None:
    response = (await openai_http.post("/responses", json=RESPONSE)).json()
    assert response["output"][0]["content"][0]["text"]
    completion = (await openai_http.post("/chat/completions", json=COMPLETION)).json()
    assert completion["choices"][0]["message"]["content"]


def found(rules: Callable[[Body], list[str]], good: Body, change: Change) -> list[str]:
    assert rules(good) == []
    body = copy.deepcopy(good)
    change(body)
    return rules(body)


BROKEN_RESPONSES = [
    put("input", []),
    put("input.0.role", "system"),
    put("input.0.content", []),
    put("input.0.content.0.text", " "),
    put("input.0.content.0.type", "output_text"),
    put("input.0.id", "msg_1"),
    put("input.0.content.1", {"type": "input_image", "image_url": "a.png"}),
    put("input.1", None),
    put("input.2", None),
    put("input.1.arguments", "[]"),
    put("input.1.name", "a b"),
    put("input.1.id", "fc_1"),
    put("input.1.call_id", "a b"),
    put("input.3", REASONING),
    put("input.3", {"type": "reasoning"}),
    put("input.2", said("user", {"type": "input_text", "text": "x"})),
    put("tools", []),
    put("tools.0.strict", None),
    put("tools.0.parameters.required", []),
    put("tools.0.parameters.type", None),
    put("tools.1", RESPONSE["tools"][0]),
    put("include", []),
    put("max_output_tokens", 1),
    put("top_k", 1),
    put("previous_response_id", "resp_1"),
]

BROKEN_COMPLETIONS = [
    put("messages", []),
    put("messages.1.content", " "),
    put("messages.1.content", []),
    put("messages.1.content.0.text", ""),
    put("messages.1.content.0.type", "x"),
    put("messages.1.content.1", {"type": "image_url", "image_url": {"url": "a.png"}}),
    put("messages.2", None),
    put("messages.3", None),
    put("messages.2.tool_calls", []),
    put("messages.2.color", "red"),
    put("messages.2.tool_calls.0.function.arguments", ""),
    put("messages.2.tool_calls.0.function.name", "a b"),
    put("messages.4", {"role": "assistant", "content": "x"}),
    put("messages.4", {"role": "system"}),
    put("tools", []),
    put("tools.0.function.parameters.required", []),
    put("tools.1", COMPLETION["tools"][0]),
    put("max_tokens", 1),
    put("max_completion_tokens", None),
    put("instructions", "x"),
    put("stream_options", {"include_usage": True}),
]


@pytest.mark.parametrize("change", BROKEN_RESPONSES)
def test_the_rules_of_the_tests_find_a_broken_response(change: Change) -> None:
    assert found(responses.broken_rules, RESPONSE, change)


@pytest.mark.parametrize("change", BROKEN_COMPLETIONS)
def test_the_rules_of_the_tests_find_a_broken_completion(change: Change) -> None:
    assert found(completions.broken_rules, COMPLETION, change)
