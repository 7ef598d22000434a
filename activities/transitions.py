"""The workflow's own writes, as local activities: a few milliseconds each."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.live import LiveView
from models.chat_state import ChatState
from models.store import bundle, steps, transitions
from models.store.families import read_versions_below
from models.turns import Commit, Receipt, ResultsCommit, Verdict


@dataclass(frozen=True)
class Transitions:
    """Commit, then tell readers, and whoever streams the turn where it was stopped."""

    engine: AsyncEngine
    live: LiveView

    @activity.defn
    async def commit_transition(self, commit: Commit) -> Receipt:
        receipt = await transitions.commit_transition(self.engine, commit)
        if receipt.verdict is Verdict.APPLIED:
            version = receipt.state.snapshot_version
            if commit.write.stop_turn:
                self.live.stop(commit.chat_id, commit.write.expect_turn, version)
            else:
                self.live.wake(commit.chat_id, version)
            if commit.write.family:
                for member, member_version in await read_versions_below(self.engine, commit.chat_id):
                    self.live.wake(member, member_version)
        return receipt

    @activity.defn
    async def commit_results(self, commit: ResultsCommit) -> ChatState:
        state = await steps.commit_results(self.engine, commit)
        self.live.wake_committed(commit.chat_id, state.snapshot_version)
        return state

    @activity.defn
    async def read_state(self, chat_id: UUID) -> ChatState:
        return await bundle.read_state(self.engine, chat_id)
