"""Carry out what the state machine decided: one `Write`, one transaction, once."""

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.store.bundle import Bundle
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
    async with engine.begin() as conn:
        bundle = await Bundle.open(conn, commit.chat_id)
        if write.draft is not None:
            draft = await _lock_draft(conn, write.draft)
            if draft["state"] == "withdrawn":
                return Receipt(verdict=Verdict.WITHDRAWN, state=bundle.state())
            if draft["state"] == "delivered":
                return Receipt(verdict=Verdict.APPLIED, state=bundle.state(), **draft["answer"])
        else:
            draft = None
            if bundle.row["last_command_id"] == commit.command_id:
                return Receipt(verdict=Verdict.APPLIED, state=bundle.state())
        now = bundle.state()
        if (now.name, now.turn) != (write.expect, write.expect_turn):
            return Receipt(verdict=Verdict.STALE, state=now)
        if write.place is Placement.QUEUE and now.queued >= QUEUE_LIMIT:
            return Receipt(verdict=Verdict.QUEUE_FULL, state=now)
        return await _apply(bundle, write, draft, commit.command_id)


async def _apply(bundle: Bundle, write: Write, draft: RowMapping | None, command_id: str) -> Receipt:
    queued_id: int | None = None
    if draft is not None and write.place is Placement.QUEUE:
        queued_id = await bundle.enqueue(draft["content"], draft["created_by"], _model_of(bundle, draft))
    if write.close_calls is not None:
        await bundle.close_open_calls(write.close_calls)
    if write.promote_head:
        await bundle.promote_head(write.turn)
    elif draft is not None and write.place is Placement.HISTORY:
        model = _model_of(bundle, draft)
        await bundle.enter_user_message(draft["content"], draft["created_by"], model, turn=write.turn)
        bundle.set(last_model_config_id=model)
    bundle.set(status=write.status, archived=write.archived, last_command_id=command_id)
    if write.clear_error:
        bundle.set(last_error=None)
    state = await bundle.close()
    receipt = Receipt(
        verdict=Verdict.APPLIED, state=state, message_ids=tuple(bundle.message_ids), queued_id=queued_id
    )
    if draft is not None:
        await _deliver(bundle.conn, draft["id"], receipt)
    return receipt


def _model_of(bundle: Bundle, draft: RowMapping) -> UUID:
    return draft["model_config_id"] or bundle.row["last_model_config_id"]


async def _lock_draft(conn: AsyncConnection, draft_id: UUID) -> RowMapping:
    """The draft, held against the door that may be withdrawing it."""
    result = await conn.execute(
        select(
            drafts.c.id,
            drafts.c.state,
            drafts.c.answer,
            drafts.c.content,
            drafts.c.created_by,
            drafts.c.model_config_id,
        )
        .where(drafts.c.id == draft_id)
        .with_for_update()
    )
    return result.mappings().one()


async def _deliver(conn: AsyncConnection, draft_id: UUID, receipt: Receipt) -> None:
    answer: dict[str, Any] = receipt.model_dump(mode="json", include={"message_ids", "queued_id"})
    await conn.execute(update(drafts).where(drafts.c.id == draft_id).values(state="delivered", answer=answer))
