"""The rows of a compaction: beginning an attempt, committing the summary, or going on without one.

Each end is one bundle under the chat's row lock. It applies only while history is still the one that was
summarized, so of two attempts that overlap the first wins, and the other learns what became of the chat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.chat_state import ChatState, ChatStatus
from models.chat_tools import ChatTools
from models.compaction import CompactionReason, reenters
from models.failures import Failure
from models.inbox import inbox_text
from models.spending import Payer
from models.store.bundle import Bundle, NewMessage
from models.store.reading import transaction
from models.store.steps import rest_in_error
from models.store.tables import chats
from models.stream import Episode
from models.turns import Compaction


@dataclass(frozen=True, slots=True)
class BegunCompaction:
    """An attempt may run. `model_config_id` is the model the chat names, `reasoning_effort` what it
    asks for, `tools` what it says about its tools; `payer` says whose pots its calls fall into."""

    reason: CompactionReason
    episode: Episode
    owner_id: UUID
    organization_id: UUID
    model_config_id: UUID
    reasoning_effort: str | None
    turn_started_at: datetime
    tools: ChatTools
    payer: Payer


async def begin_compaction(engine: AsyncEngine, compaction: Compaction) -> BegunCompaction | ChatState:
    """Count an attempt, whose parts are an episode of their own. Where the compaction is done, or the chat
    has moved on, nothing changes and the answer is the chat's state."""
    async with transaction(engine) as conn:
        bundle = await Bundle.open(conn, compaction.chat_id)
        reason = _due(bundle, compaction)
        if reason is None:
            return bundle.state()
        row = bundle.row
        attempt = row["generation_attempt"] + 1
        bundle.set(generation_attempt=attempt)
        await bundle.close()
        tools = await conn.scalar(select(chats.c.tools).where(chats.c.id == compaction.chat_id))
        return BegunCompaction(
            reason,
            Episode(row["history_version"], attempt),
            row["owner_id"],
            row["organization_id"],
            row["last_model_config_id"],
            row["last_reasoning_effort"],
            row["turn_started_at"],
            ChatTools.model_validate(tools or {}),
            Payer(row["organization_id"], row["owner_id"], row["id"], row["root_chat_id"] or row["id"]),
        )


async def commit_compaction(
    engine: AsyncEngine,
    compaction: Compaction,
    begun: BegunCompaction,
    rows: Sequence[NewMessage],
    summary: str,
    failure: Failure | None = None,
) -> ChatState:
    """Put the boundary into history, and let the chat go on behind it.

    Args:
        summary: what stands for the conversation; its beginning is the chat's summary in lists.
        failure: the chat cannot go on although it was compacted, and rests in `error` with this.
    """
    async with transaction(engine) as conn:
        bundle = await Bundle.open(conn, compaction.chat_id)
        if not _is_current(bundle, begun):
            return bundle.state()
        bundle.add_messages(rows, turn=compaction.turn, step=compaction.step)
        bundle.set(compacted_step=compaction.step, summary=inbox_text(summary))
        row = bundle.row
        if reenters(begun.reason, turn_ended=row["turn_ended"], reentries=row["reentries"]):
            bundle.set(turn_ended=False, reentries=row["reentries"] + 1)
        _go_on(bundle, begun.reason, failure)
        return await bundle.close()


async def give_up(
    engine: AsyncEngine, compaction: Compaction, begun: BegunCompaction | None, failure: Failure | None
) -> ChatState:
    """Go on without a summary.

    A turn does not fail for it, unless it cannot go on. With a person who waits for the summary, and nothing
    else to do, the chat rests in `error`.

    Args:
        begun: the attempt that came to nothing; None if not even that could be counted.
        failure: why there is none; None if there was nothing to summarize.
    """
    async with transaction(engine) as conn:
        bundle = await Bundle.open(conn, compaction.chat_id)
        reason = begun.reason if begun else _due(bundle, compaction)
        if reason is None or (begun and not _is_current(bundle, begun)):
            return bundle.state()
        match reason:
            case CompactionReason.THRESHOLD | CompactionReason.INLINE:
                fatal = None
            case CompactionReason.MANUAL:
                fatal = failure if bundle.queued == 0 else None
            case CompactionReason.OVERFLOW:
                fatal = failure
        _go_on(bundle, reason, fatal)
        return await bundle.close()


def _due(bundle: Bundle, compaction: Compaction) -> CompactionReason | None:
    """Why this compaction is to be made; None where it is not, or no more."""
    state = bundle.state()
    here = (state.turn, state.step, state.status)
    return state.compaction if here == (compaction.turn, compaction.step, ChatStatus.RUNNING) else None


def _is_current(bundle: Bundle, begun: BegunCompaction) -> bool:
    state = bundle.state()
    return (
        state.status is ChatStatus.RUNNING
        and state.compaction is begun.reason
        and bundle.row["history_version"] == begun.episode.history_version
    )


def _go_on(bundle: Bundle, reason: CompactionReason, failure: Failure | None) -> None:
    ends_a_turn = reason is not CompactionReason.MANUAL  # that belongs to none
    if failure is not None:
        rest_in_error(bundle, failure)
        if ends_a_turn:
            bundle.notify_failed(failure.message)
        return
    bundle.forget_compaction()
    if bundle.state().turn_ended and bundle.queued == 0:
        bundle.set(status=ChatStatus.WAITING)
        if ends_a_turn:
            bundle.notify_finished()
