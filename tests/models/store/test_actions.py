"""Answers from outside on real rows: they fit what is asked, or nothing happens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.chat_state import Approval, StateName, ToolCallRef
from models.store.bundle import read_state
from models.turns import BusyBehavior, Placement, Verdict
from tests.models.store.rows import ChatRows
from workflows.chat.events import ActionNeeded, ActionTimedOut, CallsAnswered, MessageSent, SteeringDue

THEIRS = ToolCallRef(id="call_1", name="open_page", client=True)
GUARDED = ToolCallRef(id="call_2", name="execute", approval=Approval.PENDING, timeout_seconds=5)
OTHER = ToolCallRef(id="call_3", name="open_page", client=True)


def output(call_id: str, value: Any = "done", *, is_error: bool = False) -> dict[str, Any]:
    return {"tool_call_id": call_id, "output": value, "is_error": is_error}


async def answered(chat: ChatRows, place: Placement, *content: dict[str, Any]) -> CallsAnswered:
    return CallsAnswered(await chat.draft_of(list(content)), place, turn=3, step=1, seconds=300)


@pytest.mark.parametrize("ids", [["call_1"], ["call_1", "call_2"], ["call_1", "call_3", "x"], ["call_1"] * 2])
async def test_results_for_other_calls_change_nothing(chat: ChatRows, ids: list[str]):
    await chat.write(StateName.A0, calls=[THEIRS, GUARDED, OTHER])
    before = await chat.row()
    receipt = await chat.commit(await answered(chat, Placement.RESULTS, *map(output, ids)))
    assert receipt.verdict is Verdict.OTHER_CALLS
    assert (await chat.row(), await chat.texts()) == (before, [])


async def test_results_enter_history_in_call_order_and_leave_what_waits_for_approval(chat: ChatRows):
    await chat.write(StateName.A1, calls=[THEIRS, GUARDED, OTHER])
    event = await answered(chat, Placement.RESULTS, output("call_3", None), output("call_1", is_error=True))
    receipt = await chat.commit(event)
    assert await chat.texts() == ["tool call_1", "tool call_3"]
    assert (receipt.state.name, receipt.state.open_calls) == (StateName.A1, (GUARDED,))
    assert len(receipt.message_ids) == 2


async def test_some_are_approved_some_denied_and_the_rest_goes_on_waiting(chat: ChatRows):
    denied = GUARDED.model_copy(update={"id": "call_4"})
    later = GUARDED.model_copy(update={"id": "call_5"})
    await chat.write(StateName.A0, calls=[GUARDED, denied, later, THEIRS])
    decisions = (
        {"tool_call_id": "call_4", "decision": "deny", "reason": None},
        {"tool_call_id": "call_2", "decision": "approve", "reason": None},
    )
    receipt = await chat.commit(await answered(chat, Placement.APPROVALS, *decisions))
    given = GUARDED.model_copy(update={"approval": Approval.GIVEN})
    assert (receipt.state.name, receipt.state.open_calls) == (StateName.A0, (given, later, THEIRS))
    assert await chat.texts() == ["tool call_4"]
    last = {"tool_call_id": "call_5", "decision": "approve", "reason": None}
    receipt = await chat.commit(await answered(chat, Placement.APPROVALS, last), "last")
    also_given = later.model_copy(update={"approval": Approval.GIVEN})
    assert (receipt.state.name, receipt.state.open_calls) == (StateName.R0, (given, also_given, THEIRS))
    assert receipt.state.action_deadline is None


async def test_what_is_left_undecided_has_its_time_from_the_last_decision_on(chat: ChatRows):
    denied = GUARDED.model_copy(update={"id": "call_4"})
    await chat.write(StateName.R0, calls=[GUARDED, denied])
    entered = await chat.commit(ActionNeeded(5), "enter")
    decision = {"tool_call_id": "call_4", "decision": "deny", "reason": None}
    left = await chat.commit(await answered(chat, Placement.APPROVALS, decision))
    first, second = entered.state.action_deadline, left.state.action_deadline
    assert first is not None
    assert second is not None
    assert second - first > timedelta(seconds=200)
    assert left.state == await read_state(chat.engine, chat.chat)


async def test_a_client_s_call_that_was_approved_waits_for_its_result(chat: ChatRows):
    asked = THEIRS.model_copy(update={"approval": Approval.PENDING})
    await chat.write(StateName.A0, calls=[asked])
    too_early = await chat.commit(await answered(chat, Placement.RESULTS, output("call_1")), "early")
    assert too_early.verdict is Verdict.OTHER_CALLS
    decision = {"tool_call_id": "call_1", "decision": "approve", "reason": None}
    receipt = await chat.commit(await answered(chat, Placement.APPROVALS, decision), "approve")
    given = THEIRS.model_copy(update={"approval": Approval.GIVEN})
    assert (receipt.state.name, receipt.state.open_calls) == (StateName.A0, (given,))
    twice = await chat.commit(await answered(chat, Placement.APPROVALS, decision), "again")
    assert twice.verdict is Verdict.OTHER_CALLS
    done = await chat.commit(await answered(chat, Placement.RESULTS, output("call_1")), "result")
    assert (done.state.name, done.state.open_calls) == (StateName.R0, ())


async def test_what_was_approved_runs_even_if_nobody_decides_about_the_rest(chat: ChatRows):
    given = GUARDED.model_copy(update={"approval": Approval.GIVEN})
    undecided = GUARDED.model_copy(update={"id": "call_4"})
    await chat.write(StateName.A0, calls=[given, undecided, THEIRS])
    receipt = await chat.commit(ActionTimedOut(), "late")
    assert (receipt.state.name, receipt.state.open_calls) == (StateName.R0, (given,))
    assert await chat.texts() == ["tool call_4", "tool call_1"]


async def test_the_deadline_is_set_on_entering_and_cleared_on_leaving(chat: ChatRows):
    await chat.write(StateName.R1, calls=[THEIRS, GUARDED])
    receipt = await chat.commit(ActionNeeded(300), "enter")
    deadline = receipt.state.action_deadline
    assert deadline is not None
    assert abs(deadline - datetime.now(UTC) - timedelta(seconds=300)) < timedelta(seconds=5)
    queued = await chat.commit(MessageSent(await chat.draft(), BusyBehavior.QUEUE), "queue")
    assert queued.state.action_deadline == deadline
    left = await chat.commit(ActionTimedOut(), "leave")
    assert (left.state.action_deadline, left.state.open_calls) == (None, ())
    assert left.state == await read_state(chat.engine, chat.chat)


async def test_steering_messages_enter_the_running_turn_in_their_order(chat: ChatRows):
    await chat.write(StateName.R1, open_calls=False)  # two ordinary messages wait
    for text in ("first", "second"):
        await chat.commit(MessageSent(await chat.draft(text), BusyBehavior.STEER), text)
    assert (await read_state(chat.engine, chat.chat)).steering == 2
    receipt = await chat.commit(SteeringDue())
    assert await chat.texts() == ["first", "second"]
    assert await chat.waiting() == ["queued 0", "queued 1"]
    assert (receipt.state.turn, receipt.state.step, receipt.state.steering) == (3, 1, 0)
