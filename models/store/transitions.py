"""Carry out what the state machine decided: one `Write`, one transaction, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.chat_state import ChatState, ChatStatus
from models.failures import Failure, FailureKind
from models.store import families, queueing
from models.store.actions import answers_fit, place_answers, still_waits
from models.store.boundaries import cleared_rows, has_answer, has_content
from models.store.bundle import Bundle, DraftLostError, UserMessage
from models.store.cutting import cut, find_target
from models.store.edits import take_staged
from models.store.file_links import link_files, named_files
from models.store.model_choice import still_usable
from models.store.reading import transaction
from models.store.tables import drafts
from models.turns import Commit, Placement, Receipt, Verdict, Write

_PLACED = {"message_ids", "queued_id", "version"}
"""What a draft keeps of its receipt. That of a command without content keeps the chat's state as well, which
is what its sender was told."""

_RECONCILED = Failure(
    kind=FailureKind.GENERIC,
    message="The chat was in an invalid state and has been brought back. Send a message to go on.",
)


@dataclass(frozen=True, slots=True)
class _Models:
    """What answers: the message of the draft, and the one that comes from the queue."""

    of_draft: UUID
    of_head: UUID | None
    effort: str | None


async def commit_transition(engine: AsyncEngine, commit: Commit) -> Receipt:
    """Apply a write unless it was applied before or the chat has moved on.

    Delivered twice, it answers twice the same: a draft keeps the receipt of a message and of a command that
    came with a key, other commands leave their id on the row (the chat's workflow is their only sender and
    sends one at a time).

    Raises:
        ChatNotFoundError: there is no such chat.
    """
    write = commit.write
    async with transaction(engine) as conn:
        try:
            bundle = await Bundle.open(conn, commit.chat_id, commit.draft)
        except DraftLostError:
            return Receipt(verdict=Verdict.WITHDRAWN, state=(await Bundle.open(conn, commit.chat_id)).state())
        now = bundle.state()
        earlier = _earlier_answer(bundle, commit)
        if earlier is not None:
            return earlier
        if _is_stale(write, now):
            return Receipt(verdict=Verdict.STALE, state=now)
        refusal = await _refusal(bundle, write)
        if refusal is not None:
            return Receipt(verdict=refusal, state=now)
        models = await _models(bundle, write)
        if isinstance(models, Verdict):
            return Receipt(verdict=models, state=now)
        if write.places_message and not await link_files(
            conn, bundle.chat_id, named_files(bundle.row["draft_content"])
        ):
            return Receipt(verdict=Verdict.FILE_GONE, state=now)
        return await _apply(bundle, commit, models)


def _is_stale(write: Write, now: ChatState) -> bool:
    if write.expect_step not in (None, now.step):
        return True
    return (now.name, now.turn) != (write.expect, write.expect_turn)


def _earlier_answer(bundle: Bundle, commit: Commit) -> Receipt | None:
    """What became of this very command, if it came before."""
    row, now = bundle.row, bundle.state()
    if commit.draft is None:
        applied = row["last_command_id"] == commit.command_id
        return Receipt(verdict=Verdict.APPLIED, state=now) if applied else None
    match row["draft_state"]:
        case "withdrawn":
            return Receipt(verdict=Verdict.WITHDRAWN, state=now)
        case "delivered":
            placed = {name: row["draft_answer"][name] for name in _PLACED}
            return Receipt(verdict=Verdict.APPLIED, state=now, **placed)
        case _:
            return None


async def _refusal(bundle: Bundle, write: Write) -> Verdict | None:
    """What keeps a write that fits the chat's state from being applied, if anything does."""
    if write.place is Placement.QUEUE and bundle.queued >= queueing.QUEUE_LIMIT:
        return Verdict.QUEUE_FULL
    if write.answers is not None:
        fit = answers_fit(write.answers, bundle.row["draft_content"], bundle.state().open_calls)
        return None if fit else Verdict.OTHER_CALLS
    if write.family:
        return await families.refusal(bundle)
    return await _lacks_content(bundle, write)


async def _models(bundle: Bundle, write: Write) -> _Models | Verdict:
    """The models for what is to enter history, looked at again where they were named a while ago.

    A turn that ends must not be held up by this: then the message keeps its model, and the call will say
    what is wrong with it.
    """
    row = bundle.row
    of_draft = row["last_model_config_id"]
    of_head = None
    effort = row["last_reasoning_effort"]
    if write.draft is not None:
        of_draft = row["draft_model_config_id"] or of_draft
        effort = row["draft_reasoning_effort"] or effort
    if write.cut_from is not None:
        target = await find_target(bundle, write.cut_from)
        if target is None:
            return Verdict.MESSAGE_GONE
        of_draft = await still_usable(bundle, row["draft_model_config_id"] or target.model_config_id)
        effort = row["draft_reasoning_effort"] or target.reasoning_effort
    if write.promote_head or write.raise_queued is not None:
        wanted = await queueing.wanted_model(bundle, write.raise_queued)
        if wanted is None:
            return Verdict.NOT_IN_QUEUE
        asked_for = write.draft is not None or write.raise_queued is not None
        of_head = await still_usable(bundle, wanted) or (None if asked_for else wanted)
        if of_head is None:
            return Verdict.NO_MODEL
    return Verdict.NO_MODEL if of_draft is None else _Models(of_draft, of_head, effort)


async def _apply(bundle: Bundle, commit: Commit, models: _Models) -> Receipt:
    write = commit.write
    if write.drop_queued is not None and not await queueing.drop(bundle, write.drop_queued):
        return Receipt(verdict=Verdict.NOT_IN_QUEUE, state=bundle.state())
    queued_id: int | None = None
    if write.place is Placement.QUEUE:
        queued_id = await queueing.enqueue(bundle, _message(bundle, models), steers=write.steers)
    elif write.answers is not None:
        row = bundle.row
        await place_answers(bundle, write.answers, row["draft_content"], row["draft_created_by"])
    await _make_way(bundle, write)
    await _enter_history(bundle, write, models)
    _apply_to_context(bundle, write)
    if write.finishes_turn:
        bundle.notify_finished()
    await _apply_to_status(bundle, write)
    await _apply_along_with_archiving(bundle, write, commit.command_id)
    bundle.set(last_command_id=commit.command_id)
    state = await bundle.close()
    receipt = Receipt(
        verdict=Verdict.APPLIED,
        state=state,
        message_ids=bundle.message_ids,
        queued_id=queued_id,
        version=state.snapshot_version,
    )
    if commit.draft is not None:
        await _deliver(bundle.conn, commit, receipt)
    return receipt


async def _make_way(bundle: Bundle, write: Write) -> None:
    """What has to go before a message enters history."""
    if write.cut_from is not None:
        await cut(bundle, write.cut_from)
        await queueing.empty(bundle)
    elif write.close_calls is not None:
        await bundle.close_open_calls(write.close_calls)
    if write.raise_queued is not None:
        await queueing.raise_to_head(bundle, write.raise_queued)


async def _enter_history(bundle: Bundle, write: Write, models: _Models) -> None:
    if write.place_steering:
        await queueing.place_steering(bundle)
    if write.promote_head:
        assert models.of_head is not None
        await queueing.promote_head(bundle, write.turn, models.of_head)
    elif write.place is Placement.HISTORY:
        bundle.enter_user_message(_message(bundle, models), turn=write.turn)


async def _apply_to_status(bundle: Bundle, write: Write) -> None:
    waits = write.answers is not None and still_waits(bundle.state().open_calls)
    status = ChatStatus.REQUIRES_ACTION if waits else write.status
    bundle.set(status=status, archived=write.archived)
    if write.action_seconds is not None and status is ChatStatus.REQUIRES_ACTION:
        now: datetime = (await bundle.conn.execute(select(func.now()))).scalar_one()
        bundle.set(requires_action_deadline_at=now + timedelta(seconds=write.action_seconds))
    elif status is not ChatStatus.REQUIRES_ACTION and bundle.row["requires_action_deadline_at"]:
        bundle.set(requires_action_deadline_at=None)
    if write.clear_error:
        bundle.set(last_error=None)
    if write.reconcile:
        bundle.set(last_error=_RECONCILED.as_chat_error())
        await queueing.count_anew(bundle)


def _message(bundle: Bundle, models: _Models) -> UserMessage:
    """What the draft says."""
    row = bundle.row
    return UserMessage(row["draft_content"], row["draft_created_by"], models.of_draft, models.effort)


async def _apply_along_with_archiving(bundle: Bundle, write: Write, command_id: str) -> None:
    if write.archived != bundle.row["archived"]:
        bundle.set(pin_order=0, **await take_staged(bundle.conn, bundle.chat_id, command_id))
    if write.family:
        await families.follow(bundle, archived=write.archived)


def _apply_to_context(bundle: Bundle, write: Write) -> None:
    """What a write does to the part of history that the model sees."""
    if not write.keep_compaction:
        bundle.forget_compaction()
    if write.clear_context:
        bundle.add_messages(cleared_rows(), turn=write.turn, step=bundle.row["step"])
    if write.request_compaction:
        _request_compaction(bundle)


def _request_compaction(bundle: Bundle) -> None:
    """No row enters history, yet the work on the chat begins anew: with attempts of its own, and without an
    answer behind it."""
    bundle.set(
        compaction_requested_at=func.now(),
        turn_ended=True,
        provider_failures=0,
        failing_since=None,
        history_version=bundle.version,
        generation_attempt=0,
    )


async def _lacks_content(bundle: Bundle, write: Write) -> Verdict | None:
    """The refusal of a write for which the conversation since the last boundary is too short."""
    if write.request_compaction and not await has_answer(bundle.conn, bundle.chat_id):
        return Verdict.NOTHING_TO_COMPACT
    if write.clear_context and not await has_content(bundle.conn, bundle.chat_id):
        return Verdict.NOTHING_TO_CLEAR
    return None


async def _deliver(conn: AsyncConnection, commit: Commit, receipt: Receipt) -> None:
    kept = _PLACED if commit.write.draft is not None else {*_PLACED, "state"}
    answer: dict[str, Any] = receipt.model_dump(mode="json", include=kept)
    delivered: dict[str, Any] = {
        "state": "delivered",
        "answer": answer,
        "content": [],
    }  # the words are in history now
    await conn.execute(update(drafts).where(drafts.c.id == commit.draft).values(delivered))
