"""Carry out what the state machine decided: one `Write`, one transaction, once."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.chat_state import ChatState, ChatStatus
from models.store.actions import answers_fit, place_answers
from models.store.boundaries import cleared_rows, has_answer, has_content
from models.store.bundle import Bundle, DraftLostError
from models.store.edits import staged_changes
from models.store.file_links import link_files, named_files
from models.store.reading import transaction
from models.store.tables import drafts
from models.turns import Commit, Placement, Receipt, Verdict, Write

QUEUE_LIMIT = 20
"""Messages that may wait in one chat (spec state-machine.md section 3)."""


async def commit_transition(engine: AsyncEngine, commit: Commit) -> Receipt:
    """Apply a write unless it was applied before or the chat has moved on.

    Delivered twice, it answers twice the same: a message's draft keeps the receipt, other commands leave
    their id on the row (the chat's workflow is their only sender and sends one at a time).

    Raises:
        ChatNotFoundError: there is no such chat.
    """
    write = commit.write
    async with transaction(engine) as conn:
        try:
            bundle = await Bundle.open(conn, commit.chat_id, write.draft)
        except DraftLostError:
            return Receipt(verdict=Verdict.WITHDRAWN, state=(await Bundle.open(conn, commit.chat_id)).state())
        now = bundle.state()
        earlier = _earlier_answer(bundle, commit)
        if earlier is not None:
            return earlier
        if _is_stale(write, now):
            return Receipt(verdict=Verdict.STALE, state=now)
        lacking = await _lacks_content(bundle, write)
        if lacking is not None:
            return Receipt(verdict=lacking, state=now)
        if write.place is Placement.QUEUE and now.queued >= QUEUE_LIMIT:
            return Receipt(verdict=Verdict.QUEUE_FULL, state=now)
        if write.answers is not None and not answers_fit(
            write.answers, bundle.row["draft_content"], now.open_calls
        ):
            return Receipt(verdict=Verdict.OTHER_CALLS, state=now)
        if write.places_message and not await link_files(
            conn, bundle.chat_id, named_files(bundle.row["draft_content"])
        ):
            return Receipt(verdict=Verdict.FILE_GONE, state=now)
        return await _apply(bundle, write, commit.command_id)


def _is_stale(write: Write, now: ChatState) -> bool:
    if write.expect_step not in (None, now.step):
        return True
    return (now.name, now.turn) != (write.expect, write.expect_turn)


def _earlier_answer(bundle: Bundle, commit: Commit) -> Receipt | None:
    """What became of this very command, if it came before."""
    row, now = bundle.row, bundle.state()
    if commit.write.draft is None:
        applied = row["last_command_id"] == commit.command_id
        return Receipt(verdict=Verdict.APPLIED, state=now) if applied else None
    match row["draft_state"]:
        case "withdrawn":
            return Receipt(verdict=Verdict.WITHDRAWN, state=now)
        case "delivered":
            return Receipt(verdict=Verdict.APPLIED, state=now, **row["draft_answer"])
        case _:
            return None


async def _apply(bundle: Bundle, write: Write, command_id: str) -> Receipt:
    row = bundle.row
    queued_id: int | None = None
    if write.place is Placement.QUEUE:
        queued_id = await bundle.enqueue(
            row["draft_content"], row["draft_created_by"], _model(row), steers=write.steers
        )
    elif write.answers is not None:
        place_answers(bundle, write.answers, row["draft_content"], row["draft_created_by"])
    if write.close_calls is not None:
        await bundle.close_open_calls(write.close_calls)
    if write.place_steering:
        await bundle.place_steering()
    if write.promote_head:
        await bundle.promote_head(write.turn)
    elif write.place is Placement.HISTORY:
        model = _model(row)
        bundle.enter_user_message(row["draft_content"], row["draft_created_by"], model, turn=write.turn)
        bundle.set(last_model_config_id=model)
    _apply_to_context(bundle, write)
    if write.finishes_turn:
        bundle.notify_finished()
    bundle.set(status=write.status, archived=write.archived, last_command_id=command_id)
    await _apply_along_with_archiving(bundle, write, command_id)
    if write.action_seconds is not None:
        now: datetime = (await bundle.conn.execute(select(func.now()))).scalar_one()
        bundle.set(requires_action_deadline_at=now + timedelta(seconds=write.action_seconds))
    elif write.status is not ChatStatus.REQUIRES_ACTION and row["status"] == ChatStatus.REQUIRES_ACTION:
        bundle.set(requires_action_deadline_at=None)
    if write.clear_error:
        bundle.set(last_error=None)
    state = await bundle.close()
    receipt = Receipt(
        verdict=Verdict.APPLIED, state=state, message_ids=bundle.message_ids, queued_id=queued_id
    )
    if write.draft is not None:
        await _deliver(bundle.conn, write.draft, receipt)
    return receipt


async def _apply_along_with_archiving(bundle: Bundle, write: Write, command_id: str) -> None:
    if write.archived != bundle.row["archived"]:
        bundle.set(pin_order=0, **await staged_changes(bundle.conn, bundle.chat_id, command_id))


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


def _model(row: RowMapping) -> UUID:
    return row["draft_model_config_id"] or row["last_model_config_id"]


async def _deliver(conn: AsyncConnection, draft_id: UUID, receipt: Receipt) -> None:
    answer: dict[str, Any] = receipt.model_dump(mode="json", include={"message_ids", "queued_id"})
    delivered: dict[str, Any] = {
        "state": "delivered",
        "answer": answer,
        "content": [],
    }  # the words are in history now
    await conn.execute(update(drafts).where(drafts.c.id == draft_id).values(delivered))
