"""The vendors' own clients work against the gateway as they are."""

from collections.abc import AsyncGenerator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from activities.providers.demo import DemoModel, script_block
from tests.api.gateway.conftest import Gateway

TOOL_STEP = {"text": "One moment.", "tools": [{"name": "look", "input": {"at": "it"}}]}
USAGE = {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 50}
MESSAGES: Any = [{"role": "user", "content": script_block({**TOOL_STEP, "usage": USAGE})}]
ANTHROPIC_TOOLS: Any = [{"name": "look", "input_schema": {"type": "object", "properties": {}}}]
FUNCTION: Any = {"name": "look", "parameters": {"type": "object", "properties": {}}}
CHAT_TOOLS: Any = [{"type": "function", "function": FUNCTION}]
RESPONSES_TOOLS: Any = [{"type": "function", **FUNCTION}]


@pytest.fixture
async def claude(gateway: Gateway, model: DemoModel) -> AsyncGenerator[AsyncAnthropic]:
    name = (await gateway.add("anthropic", model.base_url))["name"]
    token = gateway.door.owner.token
    async with AsyncAnthropic(base_url=f"{gateway.url}/{name}", api_key=token, max_retries=0) as client:
        yield client


@pytest.fixture
async def gpt(gateway: Gateway, model: DemoModel) -> AsyncGenerator[AsyncOpenAI]:
    name = (await gateway.add("openai", model.openai_url))["name"]
    token = gateway.door.owner.token
    async with AsyncOpenAI(base_url=f"{gateway.url}/{name}/v1", api_key=token, max_retries=0) as client:
        yield client


def told(call: dict[str, Any]) -> dict[str, Any]:
    """What is interesting of a record."""
    names = ("model", "endpoint", "streamed", "outcome", "status_code", "response_id")
    tools = [(tool["name"], tool["provider_executed"]) for tool in call["tool_usages"]]
    counts: dict[str, int] = call["token_usage"] or {}
    usage = {name: count for name, count in counts.items() if count}
    return {**{name: call[name] for name in names}, "tools": tools, "usage": usage}


def recorded(endpoint: str, response_id: str, *, streamed: bool, usage: dict[str, int]) -> dict[str, Any]:
    return {
        "model": "some-model",
        "endpoint": endpoint,
        "streamed": streamed,
        "outcome": "completed",
        "status_code": 200,
        "response_id": response_id,
        "tools": [("look", False)],
        "usage": usage,
    }


COUNTED = {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 50}


async def test_a_message_in_one_piece(claude: AsyncAnthropic, gateway: Gateway):
    message = await claude.messages.create(
        model="some-model", max_tokens=100, messages=MESSAGES, tools=ANTHROPIC_TOOLS
    )
    assert [block.type for block in message.content] == ["text", "tool_use"]
    (call,) = await gateway.ended_calls()
    assert told(call) == recorded("messages", message.id, streamed=False, usage=COUNTED)
    assert call["initiator"]["username"] == gateway.door.owner.caller.username
    assert call["organization_id"] == str(gateway.door.organization)
    asked = message.content[1]
    assert asked.type == "tool_use"
    assert call["tool_usages"][0]["id"] == asked.id


async def test_a_message_as_a_stream(claude: AsyncAnthropic, gateway: Gateway):
    async with claude.messages.stream(
        model="some-model", max_tokens=100, messages=MESSAGES, tools=ANTHROPIC_TOOLS
    ) as stream:
        text = [piece async for piece in stream.text_stream]
        message = await stream.get_final_message()
    assert "".join(text) == "One moment."
    (call,) = await gateway.ended_calls()
    assert told(call) == recorded("messages", message.id, streamed=True, usage=COUNTED)


async def test_a_response_in_one_piece(gpt: AsyncOpenAI, gateway: Gateway):
    response = await gpt.responses.create(
        model="some-model", input=MESSAGES[0]["content"], tools=RESPONSES_TOOLS
    )
    assert response.output_text == "One moment."
    (call,) = await gateway.ended_calls()
    assert told(call) == recorded("responses", response.id, streamed=False, usage=COUNTED)


async def test_a_response_as_a_stream(gpt: AsyncOpenAI, gateway: Gateway):
    async with gpt.responses.stream(
        model="some-model", input=MESSAGES[0]["content"], tools=RESPONSES_TOOLS
    ) as stream:
        response = await stream.get_final_response()
    assert response.output_text == "One moment."
    (call,) = await gateway.ended_calls()
    assert told(call) == recorded("responses", response.id, streamed=True, usage=COUNTED)


async def test_a_completion_in_one_piece(gpt: AsyncOpenAI, gateway: Gateway):
    completion = await gpt.chat.completions.create(model="some-model", messages=MESSAGES, tools=CHAT_TOOLS)
    assert completion.choices[0].message.content == "One moment."
    (call,) = await gateway.ended_calls()
    assert told(call) == recorded("chat_completions", completion.id, streamed=False, usage=COUNTED)


@pytest.mark.parametrize(("options", "usage"), [({"include_usage": True}, COUNTED), (None, {})])
async def test_a_completion_as_a_stream_is_counted_for_who_asks_for_its_usage(
    gpt: AsyncOpenAI, gateway: Gateway, options: Any, usage: dict[str, int]
):
    more: Any = {"stream_options": options} if options else {}
    stream: Any = await gpt.chat.completions.create(
        model="some-model", messages=MESSAGES, tools=CHAT_TOOLS, stream=True, **more
    )
    chunks = [chunk async for chunk in stream]
    (call,) = await gateway.ended_calls()
    assert told(call) == recorded("chat_completions", chunks[0].id, streamed=True, usage=usage)
    assert (call["token_usage"] is None) == (options is None)


async def test_errors_of_the_vendor_are_raised_as_what_they_are(
    claude: AsyncAnthropic, gpt: AsyncOpenAI, gateway: Gateway, model: DemoModel
):
    fault = {"kind": "status", "status": 429, "message": "Slower.", "headers": {"retry-after": "7"}}
    model.order_fault(fault, fault)
    with pytest.raises(anthropic.RateLimitError, match=r"Slower\.") as of_anthropic:
        await claude.messages.create(model="m", max_tokens=10, messages=MESSAGES)
    assert of_anthropic.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.RateLimitError, match=r"Slower\."):
        await gpt.responses.create(model="m", input="hello")
    for call in await gateway.ended_calls():
        assert (call["outcome"], call["status_code"], call["token_usage"]) == ("failed", 429, None)


async def test_errors_of_the_gateway_are_raised_as_the_vendors_would_be(gateway: Gateway, model: DemoModel):
    name = (await gateway.add("anthropic", model.base_url))["name"]
    base = f"{gateway.url}/{name}"
    async with AsyncAnthropic(base_url=base, api_key="perdure_wrong", max_retries=0) as nobody:
        with pytest.raises(anthropic.AuthenticationError, match="valid token"):
            await nobody.messages.create(model="m", max_tokens=10, messages=MESSAGES)
    async with AsyncOpenAI(base_url=f"{gateway.url}/nothing/v1", api_key=gateway.door.owner.token) as gpt:
        with pytest.raises(openai.NotFoundError, match="no such provider"):
            await gpt.responses.create(model="m", input="hello")
        with pytest.raises(openai.NotFoundError, match="does not offer"):
            await gpt.files.list()
    assert model.requests == []
