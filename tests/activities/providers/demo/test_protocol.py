"""What the official SDK reads from the wire."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import httpx2
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam

from activities.providers.demo import DemoModel, script_block


def scripted(*steps: dict[str, Any], words: str = "please") -> list[MessageParam]:
    return [{"role": "user", "content": f"{words}\n{script_block(*steps)}\nthank you"}]


async def ask(client: AsyncAnthropic, messages: list[MessageParam]) -> Any:
    async with client.messages.stream(model="demo", max_tokens=500, messages=messages) as stream:
        return await stream.get_final_message()


async def events(http: httpx2.AsyncClient, messages: list[MessageParam]) -> list[dict[str, Any]]:
    body = {"model": "demo", "max_tokens": 500, "messages": messages, "stream": True}
    async with http.sse("/v1/messages", method="POST", json=body) as source:
        return [{"event": sse.event, **json.loads(sse.data)} async for sse in source]


def tool_input_pieces(seen: list[dict[str, Any]]) -> list[str]:
    deltas = [item["delta"] for item in seen if item["type"] == "content_block_delta"]
    return [delta["partial_json"] for delta in deltas if delta["type"] == "input_json_delta"]


async def test_text_thinking_and_tool_calls_arrive_whole(client: AsyncAnthropic) -> None:
    call = {
        "name": "search",
        "input": {"query": "été  naïve \u2028 “quotes” 🦀", "deep": {"n": [1, 2.5, None]}},
    }
    text = "Two words\n\n```python\nprint('fences')\n```\n 🦀 and a line separator \u2028 end"
    message = await ask(
        client, scripted({"thinking": "Hm, let me\nthink.", "text": text, "tools": [call, call]})
    )

    thinking, said, first, second = message.content
    assert thinking.thinking == "Hm, let me\nthink."
    assert thinking.signature
    assert said.text == text
    assert (first.name, first.input) == ("search", call["input"])
    assert first.id.startswith("toolu_")
    assert first.id != second.id
    assert message.stop_reason == "tool_use"
    assert message.model == "demo"


async def test_events_come_in_the_order_of_the_protocol(http: httpx2.AsyncClient) -> None:
    step = {"thinking": "a", "text": "b", "tools": [{"name": "t", "input": {"k": "v"}}]}
    seen = await events(http, scripted(step))

    assert all(item["event"] == item["type"] for item in seen)
    assert [item.get("delta", item.get("content_block", {})).get("type", item["type"]) for item in seen] == [
        *("message_start", "ping"),
        *("thinking", "thinking_delta", "signature_delta", "content_block_stop"),
        *("text", "text_delta", "content_block_stop"),
        *("tool_use", "input_json_delta", "input_json_delta", "content_block_stop"),
        *("message_delta", "message_stop"),
    ]
    first, *others = tool_input_pieces(seen)
    assert first == ""
    assert json.loads("".join(others)) == {"k": "v"}


async def test_a_long_tool_input_is_cut_into_pieces_that_are_not_json(http: httpx2.AsyncClient) -> None:
    tool = {"name": "t", "input": {"path": "a" * 100}}
    seen = await events(http, scripted({"tools": [tool]}))

    parts = tool_input_pieces(seen)
    assert len(parts) > 4
    assert json.loads("".join(parts)) == tool["input"]


async def test_the_message_without_a_stream_is_the_same(client: AsyncAnthropic) -> None:
    messages = scripted({"thinking": "hm", "text": "same words", "tools": [{"name": "t", "input": {"a": 1}}]})

    streamed = await ask(client, messages)
    whole = await client.messages.create(model="demo", max_tokens=500, messages=messages)

    said = [block.to_dict(exclude_unset=True) for block in streamed.content]
    for block in said:
        block.pop("parsed_output", None)  # the SDK's own, of structured outputs
    assert [block.to_dict(exclude_unset=True) for block in whole.content] == said
    assert (whole.stop_reason, whole.type, whole.role) == ("tool_use", "message", "assistant")
    assert whole.id != streamed.id


async def test_usage_is_computed_from_sizes_unless_the_script_sets_it(client: AsyncAnthropic) -> None:
    small = await ask(client, scripted({"text": "x" * 400}))
    large = await ask(client, scripted({"text": "x"}, words="y" * 4000))
    usage = {
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_read_input_tokens": 30,
        "cache_creation_input_tokens": 40,
    }
    given = await ask(client, scripted({"text": "x", "usage": usage}))

    assert small.usage.output_tokens == 100
    assert 1000 <= large.usage.input_tokens <= 1200
    assert {name: getattr(given.usage, name) for name in usage} == usage


async def test_the_stop_reason_can_be_set(client: AsyncAnthropic) -> None:
    message = await ask(client, scripted({"text": "and so on and so", "stop_reason": "max_tokens"}))
    assert message.stop_reason == "max_tokens"


async def test_an_empty_step_is_an_answer_without_content(client: AsyncAnthropic) -> None:
    message = await ask(client, scripted({}))
    assert (message.content, message.stop_reason) == ([], "end_turn")


async def test_steps_follow_the_tool_loop_and_end_with_a_plain_text(client: AsyncAnthropic) -> None:
    messages = scripted({"text": "one", "tools": [{"name": "t"}]}, {"text": "two", "tools": [{"name": "t"}]})
    said: list[str] = []
    ids: set[str] = set()
    for _ in range(3):
        answer = await ask(client, messages)
        said.append(answer.content[0].text)
        messages.append({"role": "assistant", "content": answer.content})
        calls = [block.id for block in answer.content if block.type == "tool_use"]
        ids.update(calls)
        messages.append(
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": call, "content": "ok"} for call in calls],
            }
        )
    assert said == ["one", "two", "That was the last step of the script."]
    assert len(ids) == 2


async def test_a_paused_answer_goes_on_behind_the_open_call(client: AsyncAnthropic) -> None:
    search = {"kind": "web_search", "input": {"query": "x"}}
    hit = {"url": "https://example.org/a", "title": "A"}
    messages = scripted(
        {"text": "Wait.", "server_tools": [search], "stop_reason": "pause_turn"},
        {"server_tools": [search], "sources": [hit], "text": "Found.", "tools": [{"name": "t"}]},
        {"text": "Done."},
    )
    paused = await ask(client, messages)
    assert paused.stop_reason == "pause_turn"
    assert [block.type for block in paused.content] == ["text", "server_tool_use"]
    rest = await ask(client, [*messages, {"role": "assistant", "content": paused.content}])
    assert [block.type for block in rest.content] == ["web_search_tool_result", "text", "tool_use"]
    assert rest.content[0].tool_use_id == paused.content[1].id
    assert rest.content[0].content[0].url == hit["url"]
    messages.append({"role": "assistant", "content": [*paused.content, *rest.content]})
    result: Any = {"type": "tool_result", "tool_use_id": rest.content[2].id, "content": "ok"}
    last = await ask(client, [*messages, {"role": "user", "content": [result]}])
    assert last.content[0].text == "Done."


async def test_every_tool_of_the_vendor_is_a_pair(client: AsyncAnthropic) -> None:
    tools = [
        {"kind": "web_fetch", "input": {"url": "https://example.org"}, "output": "read"},
        {"kind": "code_interpreter", "input": {"command": "ls"}, "output": "a.csv"},
        {"kind": "mcp", "input": {"name": "echo", "arguments": {"said": "hi"}}, "output": "hi"},
        {"kind": "file_search", "output": "Anthropic has none"},
    ]
    answer = await ask(client, scripted({"server_tools": tools, "text": "Done."}))
    assert [block.type for block in answer.content] == [
        "server_tool_use", "web_fetch_tool_result", "server_tool_use", "bash_code_execution_tool_result",
        "mcp_tool_use", "mcp_tool_result", "text",
    ]  # fmt: skip
    for call, result in zip(answer.content[:6:2], answer.content[1:6:2], strict=True):
        assert result.tool_use_id == call.id


async def test_a_new_message_of_the_user_ends_the_script(client: AsyncAnthropic) -> None:
    answered: MessageParam = {"role": "assistant", "content": "scripted"}
    newer = scripted({"text": "the newer script"}, {"text": "not this"})
    answer = await ask(client, [*scripted({"text": "scripted"}), answered, *newer])
    assert answer.content[0].text == "the newer script"


async def test_of_several_scripts_in_one_message_the_last_counts(client: AsyncAnthropic) -> None:
    # a turn that ended without an answer leaves its message beside the next one
    unanswered = script_block({"text": f"held fences {script_block({'text': 'inner'})}"})
    for before in (unanswered, "```demo\n{not json\n```"):
        content = f"{before} first\n{script_block({'text': 'the newer script'})} second"
        answer = await ask(client, [{"role": "user", "content": content}])
        assert answer.content[0].text == "the newer script"


async def test_text_is_split_into_as_many_pieces_as_told(http: httpx2.AsyncClient) -> None:
    text = "The quick brown fox jumps over the lazy dog."
    for count, expected in ((1, 1), (20, 20), (1000, len(text))):
        seen = await events(http, scripted({"text": text, "pieces": count}))
        parts = [item["delta"]["text"] for item in seen if item.get("delta", {}).get("type") == "text_delta"]
        assert len(parts) == expected
        assert "".join(parts) == text


async def test_pieces_keep_their_times_without_drift(model: DemoModel, client: AsyncAnthropic) -> None:
    step = {"text": "x" * 20, "pieces": 20, "first_after_seconds": 0.05, "every_seconds": 0.01}
    clock = asyncio.get_running_loop().time

    async def one() -> list[float]:
        start = clock()
        async with client.messages.stream(model="demo", max_tokens=9, messages=scripted(step)) as stream:
            return [clock() - start async for _ in stream.text_stream]

    for times in await asyncio.gather(*(one() for _ in range(20))):
        assert len(times) == 20
        assert times[0] >= 0.05
        # Due at 0.24 s; a chain of relative sleeps would be far behind on a busy machine.
        assert 0.24 <= times[-1] < 1.0
        assert all(earlier <= later for earlier, later in pairwise(times))
    assert [request.pieces_sent for request in model.requests] == [20] * 20
