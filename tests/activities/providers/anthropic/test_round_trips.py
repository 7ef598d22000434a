"""What came in goes back: the next request holds the vendor's blocks as the vendor sent them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.answer import AnswerBuilder
from activities.providers.anthropic import AnthropicProvider
from activities.providers.anthropic.reading import MessageReader
from activities.providers.protocol import FinishReason
from models.parts import PARTS, public_parts

from . import answers
from .answers import Block
from .conversation import NOON, Conversation
from .raw_server import RawServer


@pytest.fixture
async def talk() -> AsyncIterator[Conversation]:
    async with RawServer() as server:
        provider = AnthropicProvider(api_key="k", base_url=server.base_url)
        yield Conversation(server, provider)
        await provider.aclose()


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param([answers.THINKING, answers.REDACTED, answers.TEXT], id="thinking, signed and redacted"),
        pytest.param([answers.SEARCH, answers.HITS, answers.CITED, answers.TEXT], id="web search, cited"),
        pytest.param([answers.SEARCH, answers.FAILED_SEARCH, answers.TEXT], id="web search that failed"),
        pytest.param([answers.FETCH, answers.FETCHED, answers.TEXT], id="web fetch"),
        pytest.param([answers.CODE, answers.RAN, answers.TEXT], id="code execution"),
        pytest.param([answers.MCP, answers.ECHOED, answers.TEXT], id="a tool of an MCP server"),
        pytest.param([answers.HOLOGRAM, answers.TEXT], id="a block nobody knows"),
        pytest.param(
            [answers.THINKING, answers.SEARCH, answers.HITS, answers.THINKING, answers.CITED],
            id="thinking between searches",
        ),
    ],
)
async def test_an_answer_goes_back_as_it_came(talk: Conversation, blocks: list[Block]) -> None:
    talk.say("Who shot first?")
    await talk.answer(*blocks)
    PARTS.validate_python(talk.rows[-1].parts)
    talk.say("Are you sure?")
    await talk.answer(answers.TEXT)
    assert talk.sent_blocks(1) == blocks


async def test_thinking_before_a_call_of_ours_goes_back_with_the_result(talk: Conversation) -> None:
    talk.say("What time is it?")
    finish = await talk.answer(answers.THINKING, answers.CALL, stop_reason="tool_use")
    assert finish.reason is FinishReason.TOOL_CALLS
    talk.result("toolu_01")
    await talk.answer(answers.TEXT)
    assert talk.sent_blocks(1) == [answers.THINKING, answers.CALL]
    assert talk.sent_blocks(2) == [{"type": "tool_result", "tool_use_id": "toolu_01", "content": "noon"}]


async def test_what_people_see_of_a_search_holds_nothing_of_the_vendors(talk: Conversation) -> None:
    talk.say("Who shot first?")
    await talk.answer(answers.SEARCH, answers.HITS, answers.CITED)
    call, result, *sources, text = public_parts(talk.rows[-1].parts)
    assert (call["tool_name"], call["args"], call["provider_executed"]) == (
        "web_search",
        {"query": "who shot first"},
        True,
    )
    assert result["result"] == [
        {"url": "https://a.example/han", "title": "Han", "page_age": "1 day"},
        {"url": "https://b.example/greedo", "title": "Greedo"},
    ]
    assert [(source["url"], source["title"]) for source in sources] == [
        ("https://a.example/han", "Han"),
        ("https://b.example/greedo", "Greedo"),
    ]
    assert text == {"type": "text", "text": "Han shot first."}
    assert "encrypted" not in str(public_parts(talk.rows[-1].parts))


@pytest.mark.parametrize(
    ("call", "result", "shown", "failed"),
    [
        (answers.SEARCH, answers.FAILED_SEARCH, {"error_code": "max_uses_exceeded"}, True),
        (
            answers.FETCH,
            answers.FETCHED,
            {"url": "https://a.example/han", "retrieved_at": "2026-03-01T12:00:00Z"},
            False,
        ),
        (answers.CODE, answers.RAN, {"stdout": "a.csv\n", "stderr": "", "return_code": 0}, False),
        (answers.MCP, answers.ECHOED, "hi", False),
        (answers.RUNS, answers.CODE_RAN, {"return_code": 0}, False),
    ],
)
async def test_a_result_is_shown_in_few_words(
    talk: Conversation, call: Block, result: Block, shown: Any, failed: bool
) -> None:
    talk.say("Do it.")
    await talk.answer(call, result)
    part = public_parts(talk.rows[-1].parts)[1]
    assert (part["result"], part.get("is_error", False)) == (shown, failed)
    assert part["tool_name"] == call["name"]


async def test_a_paused_answer_goes_back_as_it_is_and_becomes_one_with_the_rest(talk: Conversation) -> None:
    talk.say("Who shot first?")
    finish = await talk.answer(answers.TEXT, answers.SEARCH, stop_reason="pause_turn")
    assert finish.reason is FinishReason.PAUSE
    await talk.answer(answers.HITS, answers.CITED)
    assert [message["role"] for message in talk.sent["messages"]] == ["user", "assistant"]
    assert talk.sent_blocks(1) == [answers.TEXT, answers.SEARCH]
    assert talk.rows[-1].parts[0]["tool_name"] == "web_search"
    talk.say("Are you sure?")
    await talk.answer(answers.TEXT)
    assert talk.sent_blocks(1) == [answers.TEXT, answers.SEARCH, answers.HITS, answers.CITED]


async def test_a_call_by_code_that_waits_for_us_says_who_called(talk: Conversation) -> None:
    talk.say("What time is it?")
    await talk.answer(answers.RUNS, answers.CALL_BY_CODE, stop_reason="tool_use")
    talk.result("toolu_02")
    await talk.answer(answers.CODE_RAN, answers.TEXT)
    assert talk.sent_blocks(1) == [answers.RUNS, answers.CALL_BY_CODE]
    assert talk.rows[-1].parts[0]["tool_call_id"] == "srvtoolu_04"
    talk.say("Thanks.")
    await talk.answer(answers.TEXT)
    assert talk.sent_blocks(3) == [answers.CODE_RAN, answers.TEXT]


async def test_a_call_that_code_was_waiting_for_survives_a_message_in_between(talk: Conversation) -> None:
    talk.say("What time is it?")
    await talk.answer(answers.RUNS, answers.CALL_BY_CODE, stop_reason="tool_use")
    talk.result("toolu_02")
    talk.say("Never mind.")
    await talk.answer(answers.TEXT)
    assert talk.sent_blocks(1) == [{k: v for k, v in answers.CALL_BY_CODE.items() if k != "caller"}]


@pytest.mark.parametrize(
    ("expires_at", "sent"), [("2999-01-01T00:00:00Z", "container_1"), ("2020-01-01T00:00:00Z", None)]
)
async def test_the_container_is_used_again_while_it_is_there(
    talk: Conversation, expires_at: str, sent: str | None
) -> None:
    talk.say("Run it.")
    container = {"id": "container_1", "expires_at": expires_at}
    await talk.answer(answers.CODE, answers.RAN, answers.TEXT, delta={"container": container})
    talk.say("Again.")
    await talk.answer(answers.TEXT)
    assert talk.sent.get("container") == sent


async def test_a_search_that_was_cut_short_is_not_sent_again(talk: Conversation) -> None:
    talk.say("Who shot first?")
    reader, builder = MessageReader("anthropic", "anthropic"), AnswerBuilder(lambda: NOON)
    for event in answers.stream(answers.THINKING, answers.TEXT, answers.SEARCH)[:-3]:
        for neutral in reader.read(json.dumps(event)):
            builder.add(neutral)
    talk.add("assistant", *builder.partial(NOON).parts)
    talk.say("Never mind.")
    await talk.answer(answers.TEXT)
    assert talk.sent_blocks(1) == [answers.THINKING, answers.TEXT]


async def test_ids_that_repeat_between_turns_are_told_apart(talk: Conversation) -> None:
    for _ in range(2):
        talk.say("What time is it?")
        await talk.answer(answers.CALL, stop_reason="tool_use")
        talk.result("toolu_01")
        await talk.answer(answers.TEXT)
    ids = [b["id"] for m in talk.sent["messages"] for b in m["content"] if b["type"] == "tool_use"]
    assert ids == ["toolu_01", "toolu_01_2"]
    results = [
        b["tool_use_id"] for m in talk.sent["messages"] for b in m["content"] if b["type"] == "tool_result"
    ]
    assert results == ids
