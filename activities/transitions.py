"""The workflow's own writes, as local activities: a few milliseconds each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities import metrics
from activities.announcing import hints_of_step, hints_of_write
from activities.live import LiveView
from activities.remains import read_remains
from models.chat_state import ChatState, turn_is_over
from models.hints import Hint
from models.store import bundle, steps, transitions
from models.store.families import read_versions_below
from models.store.steps import Answer
from models.turns import Commit, Receipt, ResultsCommit, StepEnd, Verdict


@dataclass(frozen=True)
class Transitions:
    """Commit, then tell readers, and whoever streams the turn where it was stopped."""

    engine: AsyncEngine
    live: LiveView

    @activity.defn
    async def commit_transition(self, commit: Commit) -> Receipt:
        if commit.write.finishes_interruption:
            await self._keep_remains(commit.chat_id)
        receipt = await transitions.commit_transition(self.engine, commit)
        if receipt.verdict is Verdict.APPLIED:
            version = receipt.state.snapshot_version
            hints = hints_of_write(commit, receipt.state)
            if commit.write.stop_turn:
                self.live.stop(commit.chat_id, commit.write.expect_turn, version, hints)
            else:
                self.live.wake(commit.chat_id, version, hints)
            if commit.write.family:
                await self._wake_family(commit.chat_id, hints)
        return receipt

    async def _keep_remains(self, chat_id: UUID) -> None:
        """Keep what readers saw of an answer whose worker has died, where no other attempt came before the
        stop: as what that attempt would have kept."""
        cut = await steps.read_cut_step(self.engine, chat_id)
        if cut is None:
            return
        kept = await read_remains(self.live, chat_id, cut.episode, datetime.now(UTC))
        if kept is None:
            return
        answer = Answer(kept.parts, kept.calls, cut.model_config_id)
        outcome = await steps.commit_step(self.engine, cut.call, answer, interrupted=True)
        hints = hints_of_step(chat_id, outcome.state)
        self.live.wake_committed(chat_id, outcome.state.snapshot_version, hints)

    async def _wake_family(self, root_id: UUID, hints: Sequence[Hint]) -> None:
        """Tell the readers of the chats below a root, and the owner's lists, that these have followed it."""
        for member, version in await read_versions_below(self.engine, root_id):
            self.live.wake(member, version, [replace(hint, chat_id=member) for hint in hints])

    @activity.defn
    async def commit_results(self, commit: ResultsCommit) -> ChatState:
        state = await steps.commit_results(self.engine, commit)
        hints = hints_of_step(commit.chat_id, state)
        self.live.wake_committed(commit.chat_id, state.snapshot_version, hints)
        if state.turn == commit.turn and state.turn_ended and turn_is_over(state):
            await self._count_turn(commit.chat_id)
        return state

    async def _count_turn(self, chat_id: UUID) -> None:
        """A stop-after tool has ended the turn: no model call is there to count it."""
        turn = await steps.read_turn(self.engine, chat_id)
        if turn is not None:
            metrics.turn_over(turn.provider, turn.model, turn.started_at, StepEnd.COMMITTED)

    @activity.defn
    async def read_state(self, chat_id: UUID) -> ChatState:
        return await bundle.read_state(self.engine, chat_id)
