"""Chats that go on for long: their workflow is handed from run to run, between any two steps, with nothing
lost and nothing growing. What they cost is measured by `benchmarks.long`."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Body, Caller
from tests.durable.calling import calling
from tests.durable.histories import runs
from tests.durable.processes import another_api
from tests.durable.rows import Rows
from tests.durable.tools import THEIRS, awaited

TURNS, STEPS = 500, 300


@pytest.fixture(scope="module")
async def short_runs(perdure: Stack) -> AsyncGenerator[str]:
    """An API whose chats have runs of some turns only."""
    async with another_api(perdure, PERDURE_EVENTS_PER_RUN="200") as url:
        yield url


@pytest.fixture
async def brief(perdure: Stack, short_runs: str, model: DemoModel, rows: Rows) -> AsyncGenerator[Caller]:
    async with calling(perdure, short_runs, rows, model) as caller:
        yield caller


def says(word: str) -> str:
    return f"{script_block({'text': word})} {word}"


async def handed_over(temporal: Client, chat: str) -> int:
    """How often a chat's workflow has continued as new."""
    ends = [run.status for run in await runs(temporal, chat)]
    return ends.count(WorkflowExecutionStatus.CONTINUED_AS_NEW)


async def said_and_answered(rows: Rows, chat: str) -> list[tuple[str, int]]:
    found = await rows.ask(
        "SELECT role, turn FROM messages WHERE chat_id = :chat AND visibility = 'both'"
        " AND role IN ('user', 'assistant') ORDER BY id",
        chat=chat,
    )
    return [(row.role, row.turn) for row in found]


@pytest.mark.timeout(180)
async def test_a_chat_of_five_hundred_turns(brief: Caller, rows: Rows, temporal: Client):
    chat = await brief.create(says("w1"))
    words = iter(range(2, TURNS + 1))
    room = "SELECT 1 FROM chats WHERE id = :chat AND queued < 20"

    async def say() -> None:
        for number in words:
            while (await brief.try_to_send(chat, says(f"w{number}"), key=f"w{number}")).status_code == 429:
                await rows.until(room, chat=chat, seconds=100)

    await asyncio.gather(*(say() for _ in range(4)))
    at_rest = "SELECT 1 FROM chats WHERE id = :chat AND turn = :turns AND status = 'waiting'"
    await rows.until(at_rest, chat=chat, turns=TURNS, seconds=120)
    expected = [(role, turn) for turn in range(1, TURNS + 1) for role in ("user", "assistant")]
    assert await said_and_answered(rows, chat) == expected
    await rows.sound(chat)
    assert await handed_over(temporal, chat) >= 10


@pytest.mark.timeout(180)
async def test_a_turn_of_three_hundred_steps(brief: Caller, rows: Rows, temporal: Client):
    clock = {"name": "current_time", "input": {"timezone": "UTC"}}
    steps = [{"text": "", "tools": [clock]} for _ in range(STEPS - 1)]
    chat = await brief.create(f"{script_block(*steps, {'text': 'Done.'})} {uuid4()}")
    await rows.until("SELECT 1 FROM steps WHERE chat_id = :chat AND step >= 20", chat=chat, seconds=60)
    queued = await brief.send(chat, says("after"))
    assert queued["queued"] is True
    at_rest = "SELECT 1 FROM chats WHERE id = :chat AND turn = 2 AND status = 'waiting'"
    await rows.until(at_rest, chat=chat, seconds=150)
    answers = [turn for role, turn in await said_and_answered(rows, chat) if role == "assistant"]
    assert answers == [1] * STEPS + [2]
    await rows.sound(chat)
    assert await handed_over(temporal, chat) >= 10


async def test_a_chat_that_waits_for_a_client_is_handed_over_without_losing_what_comes_meanwhile(
    perdure: Stack, model: DemoModel, rows: Rows, temporal: Client
):
    rounds = 6
    step: Body = {"text": "", "tools": [{"name": "theirs", "input": {}}]}
    # so short that every run ends as soon as it can, also while the chat waits
    async with (
        another_api(perdure, PERDURE_EVENTS_PER_RUN="10") as url,
        Caller(url, perdure.token or "", rows) as caller,
    ):
        said = f"{script_block(*[step] * rounds, {'text': 'There.'})} {uuid4()}"
        chat = await caller.create(said, **THEIRS)
        reader = caller.read(chat)
        answered: set[str] = set()
        for number in range(rounds):
            await reader.until(
                lambda r: awaited(r) and awaited(r)[0]["tool_call_id"] not in answered, seconds=40
            )
            call_id = awaited(reader)[0]["tool_call_id"]
            answered.add(call_id)
            body = {"results": [{"tool_call_id": call_id, "output": number}]}
            sends = [caller.try_to_send(chat, says(f"q{number}.{n}"), key=f"{number}.{n}") for n in range(3)]
            *sent, taken = await asyncio.gather(*sends, caller.post(chat, "tool-results", body))
            assert [answer.status_code for answer in sent] == [200] * 3
            assert taken.status_code == 204, taken.text
        turns = 1 + 3 * rounds
        at_rest = "SELECT 1 FROM chats WHERE id = :chat AND turn = :turns AND status = 'waiting'"
        await rows.until(at_rest, chat=chat, turns=turns, seconds=40)
        stored = await caller.messages(chat)
        results = [m["content"][0]["result"] for m in stored if m["role"] == "tool"]
        assert results == list(range(rounds))
        assert sum(m["role"] == "user" for m in stored) == turns
        await rows.sound(chat)
        assert await handed_over(temporal, chat) >= rounds
