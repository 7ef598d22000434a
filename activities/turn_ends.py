"""Counting interrupts, and turns that end where no model call is there to count them.

What is counted follows from the state before a write and the state behind it. So a write that is delivered
again counts nothing, and a turn is counted once: by the commit that leaves nothing more to be done for it.
"""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from activities import metrics
from models.chat_state import ChatState, ChatStatus, StateName, turn_is_over
from models.compaction import CompactionReason
from models.store import turn_ends
from models.store.turn_ends import TurnUnderWay
from models.turns import Commit, StepEnd, Write

_AT_WORK = (StateName.R0, StateName.R1, StateName.I0, StateName.I1, StateName.A0, StateName.A1)


async def turn_at_stake(engine: AsyncEngine, commit: Commit) -> TurnUnderWay | None:
    """The turn that a write may end or interrupt, to be read before it. None for any other write, and for one
    that was made before."""
    write = commit.write
    if not _may_end_turn(write):
        return None
    turn = await turn_ends.read_turn(engine, commit.chat_id)
    if turn is None or (turn.state.name, turn.state.turn) != (write.expect, write.expect_turn):
        return None
    return turn


def count_write(turn: TurnUnderWay, write: Write, after: ChatState) -> None:
    """A write was made, and has led to `after`."""
    if write.interrupts:
        metrics.INTERRUPTS.labels(turn.provider, turn.model).inc()
    if _ended(turn.state, after):
        stopped = write.interrupts or write.finishes_interruption
        outcome = StepEnd.INTERRUPTED if stopped else StepEnd.COMMITTED
        metrics.turn_over(turn.provider, turn.model, turn.started_at, outcome)


async def count_turn(engine: AsyncEngine, chat_id: UUID, after: ChatState) -> None:
    """The turn of this chat has ended by itself or in an error, as `after` says, without a model call."""
    turn = await turn_ends.read_turn(engine, chat_id)
    if turn is not None:
        outcome = StepEnd.FAILED if after.status is ChatStatus.ERROR else StepEnd.COMMITTED
        metrics.turn_over(turn.provider, turn.model, turn.started_at, outcome)


def _may_end_turn(write: Write) -> bool:
    ends = write.status is ChatStatus.WAITING or write.turn != write.expect_turn
    closes = write.close_calls is not None or write.answers is not None
    return write.expect in _AT_WORK and (ends or closes or write.stop_turn)


def _ended(before: ChatState, after: ChatState) -> bool:
    # what a person asked to be summarized is no turn
    was_over = before.at_rest or turn_is_over(before) or before.compaction is CompactionReason.MANUAL
    is_over = after.at_rest or turn_is_over(after) or after.turn != before.turn
    return is_over and not was_over
