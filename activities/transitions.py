"""The workflow's own writes, as local activities: a few milliseconds each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.announcing import hints_of_step, hints_of_write
from activities.live import LiveView
from activities.remains import read_remains
from activities.turn_ends import count_turn, count_write, turn_at_stake
from models.chat_state import ChatState, turn_is_over
from models.hints import Hint
from models.store import bundle, steps, transitions
from models.store.families import read_versions_below
from models.store.steps import Answer
from models.turns import Commit, Receipt, ResultsCommit, Verdict


@dataclass(frozen=True)
class Transitions:
    """Commit, then tell readers, and whoever streams the turn where it was stopped."""

    engine: AsyncEngine
    live: LiveView

    @activity.defn
    async def commit_transition(self, commit: Commit) -> Receipt:
        turn = await turn_at_stake(self.engine, commit)
        kept = commit.write.finishes_interruption and await self._keep_remains(commit.chat_id)
        receipt = await transitions.commit_transition(self.engine, commit)
        if turn is not None and (kept or receipt.verdict is Verdict.APPLIED):
            count_write(turn, commit.write, receipt.state)
        if receipt.verdict is Verdict.APPLIED:
            version = receipt.state.snapshot_version
            hints = hints_of_write(commit, receipt.state)
            if receipt.stops(commit.write):
                self.live.stop(commit.chat_id, commit.write.expect_turn, version, hints)
            else:
                self.live.wake(commit.chat_id, version, hints)
            if commit.write.family:
                await self._wake_family(commit.chat_id, hints)
        return receipt

    async def _keep_remains(self, chat_id: UUID) -> bool:
        """Keep what readers saw of an answer whose worker has died, where no other attempt came before the
        stop: as what that attempt would have kept. Whether there was any."""
        cut = await steps.read_cut_step(self.engine, chat_id)
        if cut is None:
            return False
        kept = await read_remains(self.live, chat_id, cut.episode, datetime.now(UTC))
        if kept is None:
            return False
        answer = Answer(kept.parts, kept.calls, cut.model_config_id)
        outcome = await steps.commit_step(self.engine, cut.call, answer, interrupted=True)
        hints = hints_of_step(chat_id, outcome.state)
        self.live.wake_committed(chat_id, outcome.state.snapshot_version, hints)
        return True

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
            await count_turn(self.engine, commit.chat_id, state)
        return state

    @activity.defn
    async def read_state(self, chat_id: UUID) -> ChatState:
        return await bundle.read_state(self.engine, chat_id)
