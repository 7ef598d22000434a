"""Two things that happen to a chat at the same moment happen in one of their two orders."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import uuid4

import httpx2
import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Body, Caller, text_of
from tests.durable.calling import calling
from tests.durable.processes import another_api
from tests.durable.rows import Rows
from tests.durable.saying import WORDS, held, says
from tests.durable.tools import THEIRS, awaited

PAUSES = [number * 0.005 for number in range(8)]
"""From a command that comes well before what it races with to one that comes well after."""


AT_THE_END = 99
"""Pieces behind which only the end of the answer comes."""


async def test_an_edit_that_meets_the_end_of_a_step(caller: Caller, model: DemoModel):
    async def race(pause: float) -> None:
        name = f"edit-{uuid4()}"
        said, instead = held(name, AT_THE_END), says("instead")
        chat = await caller.create(said)
        reader = caller.read(chat)
        await model.reached(name)
        message = await caller.first_message(chat)
        editing = asyncio.create_task(caller.edit(chat, message, instead))
        await asyncio.sleep(pause)  # no event tells that the command is about to arrive
        model.release(name)
        assert (await editing).status_code == 200
        await reader.until(lambda r: [text_of(m) for m in r.answers()] == ["instead"])
        await reader.rested()
        await caller.agree(reader, chat, [instead], ["instead"])

    await asyncio.gather(*map(race, PAUSES))


async def test_a_message_that_meets_the_end_of_the_turn(caller: Caller, model: DemoModel):
    async def race(pause: float) -> bool:
        name = f"send-{uuid4()}"
        said, after = held(name, AT_THE_END), says("after")
        chat = await caller.create(said)
        reader = caller.read(chat)
        await model.reached(name)
        sending = asyncio.create_task(caller.send(chat, after))
        await asyncio.sleep(pause)
        model.release(name)
        sent = await sending
        await reader.rested(2)
        await caller.agree(reader, chat, [said, after], [WORDS, "after"])
        return sent["queued"]

    await asyncio.gather(*map(race, PAUSES))


async def test_an_interrupt_that_meets_a_failure(caller: Caller, model: DemoModel):
    fault = {
        "kind": "error_event",
        "after_pieces": 99,
        "error_type": "authentication_error",
        "message": "invalid x-api-key",
    }

    async def race(pause: float) -> None:
        name = f"fail-{uuid4()}"
        hold = {"name": name, "after_pieces": 9}
        said = script_block({"text": WORDS, "pieces": 10, "hold": hold, "fault": [fault]}) + f" {name}"
        chat = await caller.create(said)
        reader = caller.read(chat)
        await model.reached(name)
        stopping = asyncio.create_task(caller.interrupt(chat))
        await asyncio.sleep(pause)
        model.release(name)
        answer = await stopping
        await reader.until(lambda r: r.status in ("waiting", "error"))
        assert (answer.status_code, reader.status) in ((200, "waiting"), (409, "error"))
        await caller.rows.sound(chat)
        await caller.send(chat, says("next"))
        await reader.until(lambda r: r.answers() and text_of(r.answers()[-1]) == "next")
        await reader.until(lambda r: r.status == "waiting")
        await caller.rows.sound(chat)

    await asyncio.gather(*map(race, PAUSES))


@pytest.fixture(scope="module")
async def hurried_api(perdure: Stack) -> AsyncGenerator[str]:
    """An API whose chats wait for two seconds only."""
    async with another_api(perdure, PERDURE_ACTION_TIMEOUT_SECONDS="2") as url:
        yield url


@pytest.fixture
async def hurried(perdure: Stack, hurried_api: str, model: DemoModel, rows: Rows) -> AsyncGenerator[Caller]:
    async with calling(perdure, hurried_api, rows, model) as caller:
        yield caller


async def test_results_that_meet_their_deadline(hurried: Caller):
    step: Body = {"text": "Let me see.", "tools": [{"name": "theirs", "input": {}}]}

    async def race(pause: float) -> httpx2.Response:
        said = f"{script_block(step, {'text': 'There.'})} {uuid4()}"
        chat = await hurried.create(said, **THEIRS)
        reader = hurried.read(chat)
        await reader.until(lambda r: r.status == "requires_action" and awaited(r))
        (row,) = await hurried.rows.ask(
            "SELECT extract(epoch FROM requires_action_deadline_at - now())::float8 AS left"
            " FROM chats WHERE id = :chat",
            chat=chat,
        )
        await asyncio.sleep(max(row.left + pause, 0))
        body = {"results": [{"tool_call_id": awaited(reader)[0]["tool_call_id"], "output": "mine"}]}
        answer = await hurried.post(chat, "tool-results", body)
        await reader.rested(2)
        (result,) = [m["content"][0] for m in await hurried.messages(chat) if m["role"] == "tool"]
        assert (answer.status_code, result["result"] == "mine") in ((204, True), (409, False))
        await hurried.agree(reader, chat, [said], ["Let me see.", "There."])
        return answer

    # the first and the last are clear of the deadline however slow the machine is
    pauses = (-2.0, -0.6, -0.3, -0.1, -0.05, 0.0, 0.05, 0.1, 0.3, 2.0)
    answers = await asyncio.gather(*map(race, pauses))
    assert {answer.status_code for answer in answers} == {204, 409}
