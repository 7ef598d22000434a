"""Interrupts and the ends of turns are counted once, whatever the chat was at."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func
from temporalio.testing import ActivityEnvironment

from activities.transitions import Transitions
from models.chat_state import ChatState, StateName
from models.compaction import CompactionReason
from models.store import steps
from models.store.bundle import read_state
from models.store.steps import Begun
from models.stream import Preview, PreviewPart
from models.turns import Commit, Receipt, Verdict
from tests.activities.bench import Bench, counted
from tests.activities.test_compaction import compact, set_model, set_row
from workflows.chat.events import Event, InterruptAsked, QueuedPromoted, StepStopped, TurnEnded
from workflows.chat.machine import decide


class Counts:
    """How often something was counted since."""

    def __init__(self) -> None:
        self._before = self._now()

    @property
    def since(self) -> tuple[float, float, float, float]:
        """Interrupts; and turns that were interrupted, ended by themselves, and failed."""
        interrupts, stopped, ended, failed = (
            now - before for now, before in zip(self._now(), self._before, strict=True)
        )
        return interrupts, stopped, ended, failed

    def _now(self) -> list[float]:
        ends = ("interrupted", "committed", "failed")
        turns = [counted("turn_seconds_count", outcome=outcome) for outcome in ends]
        return [counted("interrupts_total"), *turns]


async def apply(bench: Bench, state: ChatState, event: Event) -> Receipt:
    """Have a write made, twice: its answer may have been lost."""
    transitions = Transitions(bench.chat.engine, bench.live)
    commit = Commit(chat_id=bench.chat.chat, command_id=str(uuid4()), write=decide(state, event))
    receipts = [await ActivityEnvironment().run(transitions.commit_transition, commit) for _ in range(2)]
    await bench.live.drain()
    assert receipts[0].verdict is Verdict.APPLIED
    return receipts[0]


async def now(bench: Bench) -> ChatState:
    return await read_state(bench.chat.engine, bench.chat.chat)


@pytest.mark.parametrize("at_work", [StateName.R0, StateName.R1])
@pytest.mark.parametrize("tools", [True, False])
async def test_stopped_between_or_in_tools_or_before_a_retry(bench: Bench, at_work: StateName, tools: bool):
    await bench.chat.write(at_work, open_calls=tools)
    counts = Counts()
    stopping = await apply(bench, await now(bench), InterruptAsked())
    assert counts.since == (1, 0, 0, 0)
    await apply(bench, stopping.state, StepStopped())
    assert counts.since == (1, 1, 0, 0)


async def test_stopped_while_it_waits_for_somebody_the_turn_goes_on(bench: Bench):
    await bench.chat.write(StateName.A0)
    counts = Counts()
    receipt = await apply(bench, await now(bench), InterruptAsked())
    assert receipt.state.name is StateName.R0
    assert counts.since == (1, 0, 0, 0)


async def test_a_promotion_that_stops_is_an_interrupt(bench: Bench):
    await bench.chat.write(StateName.A1)
    queued = await bench.chat.last_queued()
    counts = Counts()
    receipt = await apply(bench, await now(bench), QueuedPromoted(queued))
    assert receipt.state.turn == 4
    assert counts.since == (1, 1, 0, 0)


async def test_a_turn_whose_step_has_counted_it_is_not_counted_again(bench: Bench):
    await bench.chat.write(StateName.R1, open_calls=False)
    await set_row(bench, turn_ended=True)
    counts = Counts()
    await apply(bench, await now(bench), TurnEnded())
    assert counts.since == (0, 0, 0, 0)


async def test_a_turn_that_has_made_all_its_steps_is_counted_when_it_ends(bench: Bench):
    await bench.chat.write(StateName.R0, open_calls=False)
    counts = Counts()
    await apply(bench, await now(bench), TurnEnded())
    assert counts.since == (0, 0, 1, 0)


@pytest.mark.parametrize(
    ("due", "stopped"),
    [
        ({"compaction_due": CompactionReason.THRESHOLD}, 1),
        ({"compaction_requested_at": func.now()}, 0),
    ],
)
async def test_a_compaction_that_is_stopped_ends_its_turn_if_it_belongs_to_one(
    bench: Bench, due: dict[str, Any], stopped: int
):
    await bench.chat.write(StateName.R0, open_calls=False)
    await set_row(bench, turn_ended=True, **due)
    counts = Counts()
    stopping = await apply(bench, await now(bench), InterruptAsked())
    await apply(bench, stopping.state, StepStopped())
    assert counts.since == (1, stopped, 0, 0)


async def test_a_turn_without_a_model_fails_and_is_counted(bench: Bench):
    call = await bench.begin("hello")
    await set_model(bench, deleted=True, is_default=False)
    counts = Counts()
    await bench.call(call)
    assert counts.since == (0, 0, 0, 1)


async def test_so_is_one_that_cannot_be_compacted_for_the_lack_of_one(bench: Bench):
    call = await bench.begin("hello")
    await set_row(bench, compaction_due=CompactionReason.OVERFLOW)
    await set_model(bench, deleted=True, is_default=False)
    counts = Counts()
    assert (await compact(bench, step=call.step - 1)).name is StateName.E0
    assert counts.since == (0, 0, 0, 1)


async def test_what_was_seen_of_a_lost_worker_is_the_end_of_one_turn(bench: Bench):
    call = await bench.begin("hello")
    begun = await steps.begin_attempt(bench.chat.engine, call)
    assert isinstance(begun, Begun)
    part = PreviewPart(1, "assistant", {"type": "text", "text": "one"})
    await bench.live.append(call.chat_id, Preview(begun.episode, (part,)))
    counts = Counts()
    stopping = await apply(bench, await now(bench), InterruptAsked())
    transitions = Transitions(bench.chat.engine, bench.live)
    commit = Commit(chat_id=call.chat_id, command_id="end", write=decide(stopping.state, StepStopped()))
    for _ in range(2):
        receipt = await ActivityEnvironment().run(transitions.commit_transition, commit)
        assert (receipt.verdict, receipt.state.name) == (Verdict.STALE, StateName.W)
    await bench.live.drain()
    assert counts.since == (1, 1, 0, 0)
