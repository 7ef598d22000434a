"""The ledger: a call is claimed once, has one result, and results keep the order in which they came."""

import asyncio
from uuid import uuid4

import pytest

from models.chat_state import StateName, ToolCallRef
from models.store import steps, tool_results
from models.store.steps import Answer
from models.store.tool_results import StepResults
from models.turns import ModelCall, ResultsCommit, ToolRun
from tests.models.store.rows import ChatRows
from workflows.chat.events import MessageEdited

FIRST, SECOND = ToolCallRef(id="toolu_1", name="write"), ToolCallRef(id="toolu_2", name="read")


@pytest.fixture
async def runs(chat: ChatRows) -> list[ToolRun]:
    """Two calls of a committed step."""
    await chat.write(StateName.R0, open_calls=False)
    await chat.say("please")
    parts = [
        {"type": "tool-call", "tool_call_id": ref.id, "tool_name": ref.name, "args": {"for": ref.name}}
        for ref in (FIRST, SECOND)
    ]
    call = ModelCall(chat_id=chat.chat, turn=3, step=2)
    await steps.commit_step(chat.engine, call, Answer(parts, [FIRST, SECOND], chat.model))
    return [ToolRun(chat_id=chat.chat, turn=3, step=2, call=ref) for ref in (FIRST, SECOND)]


def result(run: ToolRun, text: str) -> dict[str, str]:
    return {"type": "tool-result", "tool_call_id": run.call.id, "tool_name": run.call.name, "result": text}


async def test_a_call_is_read_with_its_arguments_and_its_model(chat: ChatRows, runs: list[ToolRun]):
    call = await tool_results.read_call(chat.engine, runs[1])
    assert call is not None
    assert (call.arguments, call.siblings) == ({"for": "read"}, ["write", "read"])
    assert (call.running, call.status, call.model, call.context_limit) == (True, None, "perdure-demo", 1000)
    with pytest.raises(LookupError):
        await tool_results.read_call(
            chat.engine, runs[0].model_copy(update={"call": ToolCallRef(id=str(uuid4()), name="x")})
        )


async def test_a_step_that_never_was_has_no_such_call(chat: ChatRows, runs: list[ToolRun]):
    await steps.commit_results(chat.engine, ResultsCommit(chat_id=chat.chat, turn=3, step=2))
    earlier = runs[0].model_copy(update={"step": 1})
    assert await tool_results.read_call(chat.engine, earlier) is None
    assert await tool_results.record_result(chat.engine, earlier, result(earlier, "late")) is None


async def test_a_call_of_a_part_that_was_cut_is_there_to_be_ended(chat: ChatRows, runs: list[ToolRun]):
    await tool_results.claim(chat.engine, runs[0], claimed_by="1", input_hash="h")
    asked, *_ = await chat.history()
    receipt = await chat.commit(MessageEdited(await chat.draft("instead"), asked["id"]))
    assert (receipt.state.turn, receipt.state.step, receipt.state.open_calls) == (4, 0, ())
    call = await tool_results.read_call(chat.engine, runs[0])
    assert call is not None
    assert (call.running, call.status) == (False, "claimed")
    assert await tool_results.record_result(chat.engine, runs[0], result(runs[0], "late")) is None
    assert await chat.texts() == ["instead"]


async def test_of_many_attempts_at_once_one_gets_the_call(chat: ChatRows, runs: list[ToolRun]):
    claims = [tool_results.claim(chat.engine, runs[0], claimed_by=str(n), input_hash="h") for n in range(8)]
    assert sorted(await asyncio.gather(*claims)) == [False] * 7 + [True]
    call = await tool_results.read_call(chat.engine, runs[0])
    assert call is not None
    assert (call.status, call.input_hash) == ("claimed", "h")


async def test_results_are_placed_as_they_come_and_the_first_of_a_call_stays(
    chat: ChatRows, runs: list[ToolRun]
):
    assert await tool_results.claim(chat.engine, runs[0], claimed_by="a", input_hash="h")
    second = result(runs[1], "quick")
    first = result(runs[0], "slow")
    now = await tool_results.record_result(chat.engine, runs[1], second)
    assert isinstance(now, StepResults)
    assert now.parts == [second]
    assert (now.episode.history_version, now.episode.generation_attempt) == (11, 0)
    await tool_results.record_result(chat.engine, runs[0], first)
    again = await tool_results.record_result(chat.engine, runs[0], result(runs[0], "doubled"), unknown=True)
    assert again is not None
    assert again.parts == [second, first]
    assert again == await tool_results.read_results(chat.engine, runs[0])
    assert not await tool_results.claim(chat.engine, runs[0], claimed_by="b", input_hash="h")


async def test_results_that_come_at_once_get_places_of_their_own(chat: ChatRows, runs: list[ToolRun]):
    await asyncio.gather(
        *(tool_results.record_result(chat.engine, run, result(run, "at once")) for run in runs)
    )
    now = await tool_results.read_results(chat.engine, runs[0])
    assert now is not None
    assert {part["tool_call_id"] for part in now.parts} == {"toolu_1", "toolu_2"}
