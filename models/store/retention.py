"""What is deleted or put away because it is old: of every owner, because this is for a sweep and no person.

Days are 24 hours of the database's clock. Everything here takes a limited bite, to be repeated until it comes
back with less.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Table,
    Uuid,
    and_,
    any_,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.chat_state import ChatStatus
from models.store.audit import Change, write_change
from models.store.chats import CHATS, ChatRecord, record_of
from models.store.reading import reading, transaction
from models.store.tables import chats, drafts, files, inbox_notifications, tool_results

Place = tuple[datetime, UUID]
"""Where a bite has ended: `updated_at` and id of its last chat."""

_AT_REST = chats.c.status.in_([ChatStatus.WAITING, ChatStatus.ERROR])


def _older(column: ColumnElement[Any], days: float) -> ColumnElement[bool]:
    return column < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, days * 86_400)


def _behind(place: Place | None) -> ColumnElement[bool]:
    if place is None:
        return literal(True)
    at, chat_id = place
    return or_(chats.c.updated_at > at, and_(chats.c.updated_at == at, chats.c.id > chat_id))


def _expired(days: float) -> ColumnElement[bool]:
    """A root that may be deleted. What is archived and yet at work is in an invalid state, and waits for
    somebody who reconciles it."""
    return and_(
        chats.c.archived, _AT_REST, chats.c.parent_chat_id.is_(None), _older(chats.c.updated_at, days)
    )


async def read_expired(
    engine: AsyncEngine, days: float, *, after: Place | None, limit: int
) -> list[ChatRecord]:
    """Root chats that were archived, and that nothing has touched for so many days; longest first."""
    return await _read(engine, and_(_expired(days), _behind(after)), limit)


async def read_idle(engine: AsyncEngine, days: float, *, after: Place | None, limit: int) -> list[ChatRecord]:
    """Root chats at rest whose whole family nothing has touched for so many days, longest first. Pinned ones
    stay: somebody wants them at hand."""
    below = chats.alias("below")
    busy = select(below.c.id).where(
        below.c.root_chat_id == chats.c.id,
        or_(below.c.status.not_in([ChatStatus.WAITING, ChatStatus.ERROR]), ~_older(below.c.updated_at, days)),
    )
    idle = and_(
        ~chats.c.archived,
        _AT_REST,
        chats.c.pin_order == 0,
        chats.c.parent_chat_id.is_(None),
        _older(chats.c.updated_at, days),
        ~busy.exists(),
    )
    return await _read(engine, and_(idle, _behind(after)), limit)


async def _read(engine: AsyncEngine, which: ColumnElement[bool], limit: int) -> list[ChatRecord]:
    query = CHATS.where(which).order_by(chats.c.updated_at, chats.c.id).limit(limit)
    async with reading(engine) as conn:
        return [record_of(row) for row in (await conn.execute(query)).mappings()]


async def delete_family(engine: AsyncEngine, root_id: UUID, days: float, change: Change) -> bool:
    """Delete a root chat and all below it, with everything of theirs. Their files are marked as gone; what
    looks after files deletes the bytes.

    Returns:
        Whether it is gone now; not if somebody has touched it meanwhile.
    """
    async with transaction(engine) as conn:
        root = await conn.scalar(
            select(chats.c.id).where(chats.c.id == root_id, _expired(days)).with_for_update()
        )
        if root is None or not await _all_rest(conn, root):
            return False
        family = select(chats.c.id).where(or_(chats.c.id == root, chats.c.root_chat_id == root))
        await conn.execute(
            update(files).where(files.c.chat_id.in_(family), files.c.state == "ready").values(state="gone")
        )
        await conn.execute(delete(chats).where(chats.c.id == root))  # the rest goes with it
        await write_change(conn, change, status=204)
        return True


async def _all_rest(conn: AsyncConnection, root_id: UUID) -> bool:
    """Whether all chats below a root rest; from now on they stay so until the transaction ends."""
    below = select(chats.c.status).where(chats.c.root_chat_id == root_id).order_by(chats.c.id)
    found = await conn.execute(below.with_for_update())
    return set(found.scalars()) <= {ChatStatus.WAITING, ChatStatus.ERROR}


async def forget_receipts(engine: AsyncEngine, days: float, *, limit: int) -> int:
    """Delete drafts that were delivered or withdrawn so long ago that nobody repeats their requests.

    Returns:
        How many there were.
    """
    return await _forget(
        engine, drafts, and_(drafts.c.state != "pending", _older(drafts.c.created_at, days)), limit
    )


async def forget_read_notifications(engine: AsyncEngine, days: float, *, limit: int) -> int:
    """Delete notifications that are so old, and were read.

    Returns:
        How many there were.
    """
    inbox = inbox_notifications
    return await _forget(
        engine, inbox, and_(inbox.c.read_at.is_not(None), _older(inbox.c.created_at, days)), limit
    )


async def _forget(engine: AsyncEngine, table: Table, which: ColumnElement[bool], limit: int) -> int:
    some = select(table.c.id).where(which).limit(limit)
    async with reading(engine) as conn:
        return (await conn.execute(delete(table).where(table.c.id.in_(some), which))).rowcount


async def forget_ledgers(engine: AsyncEngine, days: float, *, limit: int) -> int:
    """Delete the ledgers of tool calls of chats that were archived so long ago: what the tools gave is in
    history. Not where calls are still open, which the next message closes from the ledger.

    Returns:
        How many chats it was done for.
    """
    settled = and_(chats.c.archived, chats.c.open_calls == [], _older(chats.c.updated_at, days))
    has_ledger = select(tool_results.c.chat_id).where(tool_results.c.chat_id == chats.c.id).exists()
    async with transaction(engine) as conn:
        # locked, so that none of them is unarchived and runs tools in the middle
        found = await conn.execute(
            select(chats.c.id)
            .where(settled, has_ledger)
            .order_by(chats.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        ids = list(found.scalars())
        of_these = tool_results.c.chat_id == any_(literal(ids, ARRAY(Uuid)))
        await conn.execute(delete(tool_results).where(of_these))
        return len(ids)
