"""Each fault as a client meets it."""

import asyncio
import json
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam

from activities.providers.demo import DemoModel, script_block

WORDS = "one two three four five"


def conversation(fault: Any, **step: Any) -> list[MessageParam]:
    step = {"text": WORDS, "fault": fault, **step}
    return [{"role": "user", "content": script_block(step)}]


async def read(client: AsyncAnthropic, messages: list[MessageParam]) -> str:
    """The text of the answer; a failure keeps what came before it in its notes."""
    text = ""
    stop_reason = None
    events = await client.messages.create(model="demo", max_tokens=500, messages=messages, stream=True)
    try:
        async for event in events:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                text += event.delta.text
            elif event.type == "message_delta":
                stop_reason = event.delta.stop_reason
    except Exception as error:
        error.add_note(text)
        raise
    return f"{text} [{stop_reason}]"


@pytest.mark.parametrize(
    ("status", "error_type", "raised"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (401, "authentication_error", anthropic.AuthenticationError),
        (403, "permission_error", anthropic.PermissionDeniedError),
        (404, "not_found_error", anthropic.NotFoundError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (500, "api_error", anthropic.InternalServerError),
        (503, "api_error", anthropic.InternalServerError),
        (529, "overloaded_error", anthropic.InternalServerError),
    ],
)
async def test_a_status_with_its_headers(
    client: AsyncAnthropic, status: int, error_type: str, raised: type[anthropic.APIStatusError]
) -> None:
    fault = {"kind": "status", "status": status, "message": "as ordered", "headers": {"Retry-After": "7"}}
    with pytest.raises(raised) as caught:
        await read(client, conversation(fault, text=f"status {status}"))

    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.body == {
        "type": "error",
        "error": {"type": error_type, "message": "as ordered"},
        "request_id": caught.value.request_id,
    }


async def test_an_error_event_after_some_pieces(model: DemoModel, client: AsyncAnthropic) -> None:
    fault = {"kind": "error_event", "after_pieces": 2, "error_type": "api_error", "message": "broken"}
    with pytest.raises(anthropic.APIStatusError) as caught:
        await read(client, conversation(fault))

    assert caught.value.status_code == 200
    assert json.dumps(caught.value.body).count('"api_error"') == 1
    assert caught.value.__notes__ == ["one two "]
    assert (model.requests[-1].outcome, model.requests[-1].fault) == ("faulted", "error_event")
    assert model.requests[-1].pieces_sent == 2


@pytest.mark.parametrize(("after_pieces", "read_before"), [(0, ""), (3, "one two three "), (99, WORDS)])
async def test_a_dropped_connection_is_reset_after_what_was_sent(
    model: DemoModel, client: AsyncAnthropic, after_pieces: int, read_before: str
) -> None:
    # A connection that is merely closed would be a RemoteProtocolError.
    with pytest.raises(httpx2.ReadError) as caught:
        await read(client, conversation({"kind": "drop", "after_pieces": after_pieces}))
    assert caught.value.__notes__ == [read_before]
    assert model.requests[-1].outcome == "faulted"


async def test_a_cut_ends_the_body_without_a_last_event(model: DemoModel, client: AsyncAnthropic) -> None:
    text = await read(client, conversation({"kind": "cut", "after_pieces": 4}))
    assert text == "one two three four  [None]"
    assert model.requests[-1].outcome == "faulted"


async def test_a_cut_before_the_closing_events_keeps_all_text(client: AsyncAnthropic) -> None:
    assert await read(client, conversation({"kind": "cut", "after_pieces": 5})) == f"{WORDS} [None]"


async def test_a_bad_frame_is_not_json(client: AsyncAnthropic) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        await read(client, conversation({"kind": "bad_frame", "after_pieces": 1}))
    assert caught.value.__notes__ == ["one "]


async def test_a_stall_is_silent_until_the_client_leaves(model: DemoModel, client: AsyncAnthropic) -> None:
    messages = conversation({"kind": "stall", "after_pieces": 2})
    impatient = client.with_options(timeout=httpx2.Timeout(5, read=0.05))
    with pytest.raises(httpx2.ReadTimeout) as caught:
        await read(impatient, messages)

    await model.settled()
    assert caught.value.__notes__ == ["one two "]
    assert (model.requests[-1].outcome, model.requests[-1].pieces_sent) == ("client_disconnected", 2)


async def test_a_named_stall_can_be_released(model: DemoModel, client: AsyncAnthropic) -> None:
    fault = {"kind": "stall", "after_pieces": 2, "name": "long-pause"}
    reading = asyncio.create_task(read(client, conversation(fault)))
    await model.reached("long-pause")
    assert not reading.done()
    model.release("long-pause")
    assert await reading == f"{WORDS} [end_turn]"
    assert model.requests[-1].outcome == "completed"


async def test_a_slow_first_delays_even_the_headers(client: AsyncAnthropic) -> None:
    impatient = client.with_options(timeout=httpx2.Timeout(5, read=0.05))
    messages = conversation([{"kind": "slow_first", "seconds": 30}, {"kind": "slow_first", "seconds": 0.1}])
    with pytest.raises(anthropic.APITimeoutError):
        await read(impatient, messages)

    start = asyncio.get_running_loop().time()
    assert await read(client, messages) == f"{WORDS} [end_turn]"
    assert asyncio.get_running_loop().time() - start >= 0.1


async def test_the_faults_of_a_step_meet_one_attempt_each(client: AsyncAnthropic) -> None:
    messages = conversation(
        [{"kind": "status", "status": 529}, {"kind": "status", "status": 500}], text="third time"
    )
    seen: list[int] = []
    for _ in range(2):
        with pytest.raises(anthropic.APIStatusError) as caught:
            await read(client, messages)
        seen.append(caught.value.status_code)
    assert seen == [529, 500]
    assert await read(client, messages) == "third time [end_turn]"
    assert await read(client, messages) == "third time [end_turn]"


async def test_the_sdk_retries_through_a_fault_when_it_may(model: DemoModel) -> None:
    headers = {"retry-after-ms": "1"}
    messages = conversation({"kind": "status", "status": 529, "headers": headers}, text="after all")
    async with AsyncAnthropic(base_url=model.base_url, api_key="demo", max_retries=1) as client:
        assert await read(client, messages) == "after all [end_turn]"
    assert [request.outcome for request in model.requests] == ["faulted", "completed"]


async def test_an_ordered_fault_comes_before_the_faults_of_the_script(
    model: DemoModel, client: AsyncAnthropic
) -> None:
    model.order_fault({"kind": "status", "status": 429})
    messages = conversation({"kind": "status", "status": 500}, text="ordered")
    for raised in (anthropic.RateLimitError, anthropic.InternalServerError):
        with pytest.raises(raised):
            await read(client, messages)
    assert await read(client, messages) == "ordered [end_turn]"


@pytest.mark.parametrize(("of", "tools", "sent"), [("thinking", 0, 2), ("tool_input", 2, 6)])
async def test_a_fault_can_stand_in_thinking_and_in_tool_input(
    model: DemoModel, client: AsyncAnthropic, of: str, tools: int, sent: int
) -> None:
    fault = {"kind": "error_event", "after_pieces": 2, "of": of}
    calls = [{"name": "t", "input": {"a": 1}}] * tools
    messages = conversation(fault, thinking="first second third", text="x", tools=calls)
    with pytest.raises(anthropic.APIStatusError):
        await read(client, messages)
    assert model.requests[-1].pieces_sent == sent


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("drop", anthropic.APIConnectionError),
        ("error_event", anthropic.InternalServerError),
        ("cut", json.JSONDecodeError),
    ],
)
async def test_faults_without_a_stream(client: AsyncAnthropic, kind: str, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        await client.messages.create(
            model="demo", max_tokens=9, messages=conversation({"kind": kind}, text=kind)
        )


async def test_an_order_that_makes_no_sense_is_refused(model: DemoModel, http: httpx2.AsyncClient) -> None:
    response = await http.post("/control/faults", json=[{"kind": "status", "status": 200}])
    assert response.status_code == 422
    assert "greater than or equal to 400" in response.text
    with pytest.raises(ValueError, match="earthquake"):
        model.order_fault({"kind": "earthquake"})
