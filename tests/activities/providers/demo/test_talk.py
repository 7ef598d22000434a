"""What a newcomer meets who writes to the demo model without a script."""

from typing import Any

import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam

from activities.providers.demo.request import MessagesRequest
from activities.providers.demo.talk import FIRST_AFTER_SECONDS, PIECES_PER_SECOND, conversational_step
from activities.providers.demo.validation import read_request

CLOCK: ToolParam = {"name": "current_time", "input_schema": {"type": "object"}}


def asked(text: str, **fields: Any) -> MessagesRequest:
    return read_request(
        {"model": "demo", "max_tokens": 9, "messages": [{"role": "user", "content": text}], **fields}
    )


async def test_asked_for_the_time_it_thinks_calls_the_tool_and_quotes_the_result(
    client: AsyncAnthropic,
) -> None:
    messages: list[MessageParam] = [{"role": "user", "content": "What time is it?"}]
    first = await client.messages.create(model="demo", max_tokens=99, messages=messages, tools=[CLOCK])
    thinking, text, call = first.content

    assert (thinking.type, text.type, first.stop_reason) == ("thinking", "text", "tool_use")
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("current_time", {})

    result: ToolResultBlockParam = {"type": "tool_result", "tool_use_id": call.id, "content": "12:34 in Oslo"}
    messages.append({"role": "assistant", "content": first.content})
    messages.append({"role": "user", "content": [result]})
    second = await client.messages.create(model="demo", max_tokens=99, messages=messages, tools=[CLOCK])
    (answer,) = second.content
    assert answer.type == "text"
    assert "12:34 in Oslo" in answer.text


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("What time is it?", {}),
        ("What time is it?", {"tools": [{"name": "other"}]}),
        ("What time is it?", {"tools": [CLOCK], "tool_choice": {"type": "none"}}),
        ("Do you like sentimental timeouts?", {"tools": [CLOCK]}),
    ],
)
def test_it_calls_no_tool_that_is_not_offered_or_not_wanted(text: str, fields: dict[str, Any]) -> None:
    step = conversational_step(asked(text, **fields))
    assert not step.tools
    assert "ANTHROPIC_API_KEY" in step.text


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("Hello!", 50, 80), ("Tell me a story", 300, 500), ("Please EXPLAIN", 300, 500)],
)
def test_it_is_brief_unless_asked_for_something_long(text: str, least: int, most: int) -> None:
    step = conversational_step(asked(text))
    assert least <= len(step.text.split()) <= most
    assert f"“{text}”" in step.text
    assert (step.first_after_seconds, step.every_seconds) == (FIRST_AFTER_SECONDS, 1 / PIECES_PER_SECOND)
    assert step == conversational_step(asked(text))


def test_a_long_message_is_quoted_only_in_part() -> None:
    step = conversational_step(asked("{word} " * 50))
    assert "…”" in step.text
    assert len(step.text.split()) < 80


def test_a_message_without_text_is_answered_too() -> None:
    image: dict[str, Any] = {"role": "user", "content": [{"type": "image", "source": {}}]}
    request = read_request({"model": "demo", "max_tokens": 9, "messages": [image]})
    assert conversational_step(request).text.startswith("I am Perdure's")
