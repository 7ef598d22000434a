"""A step begins, ends, and ends again: what each leaves in the rows, and that it happens once."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from models.chat_state import ChatState, ChatStatus, StateName, ToolCallRef
from models.failures import Failure, FailureKind, RetryLimits
from models.store import steps, tool_results
from models.store.bundle import read_state
from models.store.steps import Answer, Begun, RetryLater
from models.store.tables import messages
from models.turns import ModelCall, ResultsCommit, StepEnd, StepOutcome, ToolRun
from tests.models.store.rows import ROWS, ChatRows
from workflows.chat.events import Transition
from workflows.chat.machine import MATRIX, Action, next_action

CALL = ToolCallRef(id="toolu_1", name="current_time")
LIMITS = RetryLimits()
OVERLOADED = Failure(kind=FailureKind.OVERLOADED, message="Busy.", provider="demo", retryable=True)


def second_step(chat: ChatRows) -> ModelCall:
    return ModelCall(chat_id=chat.chat, turn=3, step=2)


def answer(chat: ChatRows, *calls: ToolCallRef, text: str = "hello") -> Answer:
    asked: list[dict[str, Any]] = [
        {"type": "tool-call", "tool_call_id": c.id, "tool_name": c.name, "args": {}} for c in calls
    ]
    return Answer(
        parts=[{"type": "text", "text": text}, *asked],
        calls=calls,
        model_config_id=chat.model,
        usage={"input_tokens": 5, "output_tokens": 2},
        runtime_ms=12,
        provider_response_id="msg_1",
    )


async def begun(chat: ChatRows, name: StateName = StateName.R0) -> ModelCall:
    await chat.write(name, open_calls=False)
    return second_step(chat)


async def test_an_attempt_is_counted_and_names_its_episode(chat: ChatRows):
    call = await begun(chat)
    first = await steps.begin_attempt(chat.engine, call)
    second = await steps.begin_attempt(chat.engine, call)
    assert isinstance(first, Begun)
    assert isinstance(second, Begun)
    assert second.episode.newer_than(first.episode)
    assert (first.episode.history_version, first.episode.generation_attempt) == (9, 3)
    assert (first.model_config_id, first.owner_id) == (chat.model, chat.owner)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        (StateName.W, StepEnd.SUPERSEDED),
        (StateName.I0, StepEnd.INTERRUPTED),
        (StateName.I1, StepEnd.INTERRUPTED),
        (StateName.E0, StepEnd.FAILED),
        (StateName.XW, StepEnd.SUPERSEDED),
    ],
)
async def test_no_attempt_begins_in_a_chat_that_does_not_run(chat: ChatRows, name: StateName, end: StepEnd):
    call = await begun(chat, name)
    before = await chat.row()
    outcome = await steps.begin_attempt(chat.engine, call)
    assert isinstance(outcome, StepOutcome)
    assert (outcome.end, outcome.state.name) == (end, name)
    assert await chat.row() == before


@pytest.mark.parametrize(("turn", "step"), [(2, 2), (4, 1), (3, 1), (3, 3)])
async def test_no_attempt_begins_for_another_turn_or_step(chat: ChatRows, turn: int, step: int):
    await begun(chat)
    other = ModelCall(chat_id=chat.chat, turn=turn, step=step)
    outcome = await steps.begin_attempt(chat.engine, other)
    assert isinstance(outcome, StepOutcome)
    assert outcome.end is StepEnd.SUPERSEDED


async def test_an_answer_without_calls_ends_the_turn_in_one_bundle(chat: ChatRows):
    call = await begun(chat)
    outcome = await steps.commit_step(chat.engine, call, answer(chat))
    assert (outcome.end, outcome.state.name) == (StepEnd.COMMITTED, StateName.W)
    assert outcome.state == await read_state(chat.engine, chat.chat)
    assert await chat.texts() == ["hello"]
    assert (await chat.row())["snapshot_version"] == 11
    async with chat.engine.connect() as conn:
        row = (await conn.execute(select(messages).where(messages.c.chat_id == chat.chat))).mappings().one()
    assert row["usage"] == {"input_tokens": 5, "output_tokens": 2}
    assert (row["runtime_ms"], row["provider_response_id"], row["revision"]) == (12, "msg_1", 11)


async def test_with_a_message_waiting_the_turn_is_left_for_the_workflow_to_finish(chat: ChatRows):
    call = await begun(chat, StateName.R1)
    outcome = await steps.commit_step(chat.engine, call, answer(chat))
    assert (outcome.state.name, outcome.state.turn_ended) == (StateName.R1, True)


async def test_an_answer_with_calls_keeps_the_turn_running(chat: ChatRows):
    call = await begun(chat)
    outcome = await steps.commit_step(chat.engine, call, answer(chat, CALL))
    assert (outcome.state.name, outcome.state.open_calls) == (StateName.R0, (CALL,))
    assert outcome.state.step == 2


@pytest.mark.parametrize("due", [False, True])
async def test_a_pause_of_the_model_goes_on_with_the_next_step(chat: ChatRows, due: bool):
    call = await begun(chat)
    paused = replace(answer(chat), goes_on=True, compaction_due=due)
    outcome = await steps.commit_step(chat.engine, call, paused)
    assert (outcome.end, outcome.state.step) == (StepEnd.COMMITTED, 2)
    assert next_action(outcome.state) is Action.CALL_MODEL
    assert await steps.commit_step(chat.engine, call, paused) == outcome


async def test_a_pause_that_the_user_interrupts_is_over(chat: ChatRows):
    call = await begun(chat, StateName.I0)
    outcome = await steps.commit_step(chat.engine, call, replace(answer(chat), goes_on=True))
    assert (outcome.end, outcome.state.status) == (StepEnd.INTERRUPTED, ChatStatus.WAITING)


async def test_an_empty_answer_ends_the_turn_without_a_row(chat: ChatRows):
    call = await begun(chat)
    outcome = await steps.commit_step(chat.engine, call, Answer([], [], chat.model))
    assert (outcome.state.name, await chat.texts()) == (StateName.W, [])


@pytest.mark.parametrize("attempts", [2, 8])
async def test_overlapping_attempts_commit_once_and_learn_the_same(chat: ChatRows, attempts: int):
    call = await begun(chat)
    outcomes = await asyncio.gather(
        *(steps.commit_step(chat.engine, call, answer(chat, text=f"try {n}")) for n in range(attempts))
    )
    assert {outcome.end for outcome in outcomes} == {StepEnd.COMMITTED}
    assert len({outcome.state.snapshot_version for outcome in outcomes}) == 1
    assert len(await chat.texts()) == 1
    again = await steps.begin_attempt(chat.engine, call)
    assert isinstance(again, StepOutcome)
    assert again.end is StepEnd.COMMITTED


@pytest.mark.parametrize(
    ("name", "after"),
    [(StateName.I0, StateName.W), (StateName.I1, StateName.I1), (StateName.R0, StateName.W)],
)
async def test_a_stopped_answer_is_kept_and_its_calls_are_answered(
    chat: ChatRows, name: StateName, after: StateName
):
    call = await begun(chat, name)
    outcome = await steps.commit_step(chat.engine, call, answer(chat, CALL, text="half"), interrupted=True)
    assert (outcome.end, outcome.state.name) == (StepEnd.INTERRUPTED, after)
    assert await chat.texts() == ["half", "tool toolu_1"]
    assert outcome.state.open_calls == ()


async def test_a_whole_answer_that_meets_an_interrupt_runs_no_tools(chat: ChatRows):
    call = await begun(chat, StateName.I0)
    outcome = await steps.commit_step(chat.engine, call, answer(chat, CALL))
    assert (outcome.end, outcome.state.name) == (StepEnd.INTERRUPTED, StateName.W)
    assert await chat.texts() == ["hello", "tool toolu_1"]


async def test_stopped_before_anything_was_said_leaves_no_row(chat: ChatRows):
    call = await begun(chat, StateName.I0)
    outcome = await steps.commit_step(chat.engine, call, Answer([], [], chat.model), interrupted=True)
    assert (outcome.state.name, await chat.texts()) == (StateName.W, [])


async def test_an_outdated_attempt_commits_nothing(chat: ChatRows):
    await begun(chat)
    old = ModelCall(chat_id=chat.chat, turn=2, step=2)
    before = await chat.row()
    outcome = await steps.commit_step(chat.engine, old, answer(chat))
    assert outcome.end is StepEnd.SUPERSEDED
    assert (await chat.row(), await chat.texts()) == (before, [])


async def test_a_failure_rests_the_chat_in_error_with_the_reason(chat: ChatRows):
    call = await begun(chat, StateName.R1)
    failure = Failure(kind=FailureKind.AUTH, message="The key is refused.", provider="demo", status_code=401)
    outcome = await steps.fail_step(chat.engine, call, failure)
    assert (outcome.end, outcome.state.name) == (StepEnd.FAILED, StateName.E1)
    assert (await chat.row())["last_error"] == {
        "kind": "auth", "message": "The key is refused.", "provider": "demo",
        "retryable": False, "status_code": 401,
    }  # fmt: skip
    assert (await steps.fail_step(chat.engine, call, failure)).end is StepEnd.FAILED
    assert (await chat.row())["snapshot_version"] == 11


async def test_retries_are_counted_shown_and_cleared_by_the_next_attempt(chat: ChatRows):
    call = await begun(chat)
    await steps.begin_attempt(chat.engine, call)
    delays: list[float] = []
    for _ in range(3):
        noted = await steps.note_failure(chat.engine, call, OVERLOADED, LIMITS)
        assert isinstance(noted, RetryLater)
        delays.append(noted.delay_seconds)
    assert delays == [1, 2, 4]
    row = await chat.row()
    assert (row["retry_state"]["attempt"], row["retry_state"]["delay_ms"]) == (3, 4000)
    assert row["retry_state_version"] == row["snapshot_version"]
    await steps.begin_attempt(chat.engine, call)
    row = await chat.row()
    assert (row["retry_state"], row["provider_failures"]) == (None, 3)
    assert row["retry_state_version"] == row["snapshot_version"]


async def test_the_provider_may_ask_for_a_longer_wait(chat: ChatRows):
    call = await begun(chat)
    patient = OVERLOADED.model_copy(update={"retry_after_seconds": 90.0})
    noted = await steps.note_failure(chat.engine, call, patient, LIMITS)
    assert isinstance(noted, RetryLater)
    assert noted.delay_seconds == 90


async def test_the_last_attempt_of_many_rests_in_error(chat: ChatRows):
    call = await begun(chat)
    for _ in range(LIMITS.attempts - 1):
        assert isinstance(await steps.note_failure(chat.engine, call, OVERLOADED, LIMITS), RetryLater)
    outcome = await steps.note_failure(chat.engine, call, OVERLOADED, LIMITS)
    assert isinstance(outcome, StepOutcome)
    assert outcome.end is StepEnd.FAILED
    error = (await chat.row())["last_error"]
    assert (error["kind"], error["retryable"]) == ("overloaded", False)


async def test_retrying_ends_when_its_whole_time_is_over(chat: ChatRows):
    call = await begun(chat)
    assert isinstance(await steps.note_failure(chat.engine, call, OVERLOADED, LIMITS), RetryLater)
    patient = OVERLOADED.model_copy(update={"retry_after_seconds": LIMITS.total_seconds})
    outcome = await steps.note_failure(chat.engine, call, patient, LIMITS)
    assert isinstance(outcome, StepOutcome)
    row = await chat.row()
    assert (outcome.end, row["failing_since"], row["retry_state"]) == (StepEnd.FAILED, None, None)
    assert "Gave up after 2 attempts." in row["last_error"]["message"]


async def test_a_wait_longer_than_any_chat_waits_is_an_error_at_once(chat: ChatRows):
    call = await begun(chat)
    tomorrow = OVERLOADED.model_copy(update={"retry_after_seconds": 86400.0})
    outcome = await steps.note_failure(chat.engine, call, tomorrow, LIMITS)
    assert isinstance(outcome, StepOutcome)
    assert "asks to wait" in (await chat.row())["last_error"]["message"]


async def test_calls_that_are_not_to_run_are_answered_with_the_step(chat: ChatRows):
    call = await begun(chat)
    cut = Answer([{"type": "text", "text": "cut"}], [], chat.model, not_run=[CALL])
    outcome = await steps.commit_step(chat.engine, call, cut)
    assert (outcome.state.name, outcome.state.open_calls) == (StateName.W, ())
    assert await chat.texts() == ["cut", f"tool {CALL.id}"]


async def test_results_enter_history_together_in_call_order_with_their_own_times(chat: ChatRows):
    call = await begun(chat)
    other = ToolCallRef(id="toolu_2", name="current_time")
    lost = ToolCallRef(id="toolu_3", name="current_time")
    outcome = await steps.commit_step(chat.engine, call, answer(chat, CALL, other, lost))
    for ref in (other, CALL):  # finished in the opposite order
        run = ToolRun(chat_id=chat.chat, turn=3, step=2, call=ref)
        part = {"type": "tool-result", "tool_call_id": ref.id, "tool_name": ref.name, "result": "now"}
        await tool_results.record_result(chat.engine, run, part)
        await tool_results.record_result(chat.engine, run, {**part, "result": "a second time"})
    commit = ResultsCommit(chat_id=chat.chat, turn=3, step=2)
    state = await steps.commit_results(chat.engine, commit)
    assert await steps.commit_results(chat.engine, commit) == state
    assert await chat.texts() == ["hello", "tool toolu_1", "tool toolu_2", "tool toolu_3"]
    assert (state.open_calls, state.name) == ((), StateName.R0)
    assert state.snapshot_version == outcome.state.snapshot_version + 1
    async with chat.engine.connect() as conn:
        found = await conn.execute(
            select(messages.c.content, messages.c.created_at)
            .where(messages.c.chat_id == chat.chat, messages.c.role == "tool")
            .order_by(messages.c.id)
        )
        first, second, third = found.all()
    assert first.created_at > second.created_at
    assert [row.content[0]["result"] for row in (first, second)] == ["now", "now"]
    assert third.content[0]["is_error"] is True


@pytest.mark.parametrize("due", [True, False])
async def test_a_full_context_is_compacted_before_a_stop_after_tool_ends_the_turn(chat: ChatRows, due: bool):
    call = await begun(chat)
    last = ToolCallRef(id="toolu_1", name="propose", stop_after=True)
    await steps.commit_step(chat.engine, call, replace(answer(chat, last), compaction_due=due))
    run = ToolRun(chat_id=chat.chat, turn=3, step=2, call=last)
    part = {"type": "tool-result", "tool_call_id": last.id, "tool_name": last.name, "result": "done"}
    await tool_results.record_result(chat.engine, run, part)
    state = await steps.commit_results(chat.engine, ResultsCommit(chat_id=chat.chat, turn=3, step=2))
    assert state.turn_ended
    assert state.name is (StateName.R0 if due else StateName.W)
    assert next_action(state) is (Action.COMPACT if due else Action.REST)


def test_a_state_at_rest_is_one_without_work():
    assert {status for status in ChatStatus if ChatState(status=status).at_rest} == {
        ChatStatus.WAITING,
        ChatStatus.ERROR,
    }


@pytest.mark.parametrize("name", list(ROWS))
@pytest.mark.parametrize("what", ["answers", "asks_for_tools", "is_stopped", "fails"])
async def test_a_step_ends_in_every_state_as_the_matrix_says(chat: ChatRows, name: StateName, what: str):
    call = await begun(chat, name)
    before, texts = await chat.row(), await chat.texts()
    match what:
        case "answers":
            allowed_here = {**MATRIX[Transition.COMMIT_STEP], **MATRIX[Transition.FINISH_INTERRUPTION]}
            outcome = await steps.commit_step(chat.engine, call, answer(chat))
        case "asks_for_tools":
            allowed_here = {**MATRIX[Transition.COMMIT_STEP], **MATRIX[Transition.FINISH_INTERRUPTION]}
            outcome = await steps.commit_step(chat.engine, call, answer(chat, CALL))
        case "is_stopped":
            # Temporal's own cancellation may come without an interrupt: it ends the turn all the same
            allowed_here = {**MATRIX[Transition.FINISH_TURN], **MATRIX[Transition.FINISH_INTERRUPTION]}
            outcome = await steps.commit_step(chat.engine, call, answer(chat), interrupted=True)
        case _:
            running = (StateName.R0, StateName.R1)
            allowed_here = {s: to for s, to in MATRIX[Transition.FINISH_ERROR].items() if s in running}
            failure = Failure(kind=FailureKind.GENERIC, message="It failed.")
            outcome = await steps.fail_step(chat.engine, call, failure)
    if name not in allowed_here:
        assert (await chat.row(), await chat.texts()) == (before, texts)
        assert outcome.state.name is name
        return
    # with messages waiting, what ends a turn is left to the workflow: the state stays for it to see
    waiting = {StateName.R1: StateName.R1, StateName.I1: StateName.I1}.get(name)
    finished = {*allowed_here[name], *MATRIX[Transition.FINISH_TURN].get(name, ())}
    assert outcome.state.name in ({*finished, waiting} if waiting else finished)
    assert (await chat.row())["snapshot_version"] == before["snapshot_version"] + 1


async def test_a_call_cut_by_the_length_limit_is_stored_answered_and_not_run(chat: ChatRows):
    call = await begun(chat)
    whole = answer(chat, CALL)
    cut = Answer(whole.parts, [], chat.model, not_run=[CALL])
    outcome = await steps.commit_step(chat.engine, call, cut)
    assert (outcome.end, outcome.state.name) == (StepEnd.COMMITTED, StateName.W)
    assert await chat.texts() == ["hello", "tool toolu_1"]
