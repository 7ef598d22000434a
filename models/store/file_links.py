"""Which files a chat has: linked by the transaction that places the message naming them, or the result of
the tool that brings them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, any_, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.store.tables import files

FILES_PER_CHAT = 50
"""A chat keeps the files linked last; linking more lets the oldest go (spec state-machine.md 5.9)."""


def named_files(content: Sequence[dict[str, Any]]) -> list[UUID]:
    """Ids of the files that stored parts name, each once, in their order."""
    named = (part["file_id"] for part in content if part.get("type") == "file" and part.get("file_id"))
    return [UUID(file_id) for file_id in dict.fromkeys(named)]


async def link_files(conn: AsyncConnection, chat_id: UUID, ids: Sequence[UUID]) -> bool:
    """Make these files the chat's own, within the transaction that places the message naming them. What
    exceeds the chat's room goes, oldest first, but none of these.

    Returns:
        Whether all could be had; else nothing is changed, because one is gone or another chat's.
    """
    if not ids:
        return True
    named = files.c.id == any_(literal(list(ids), ARRAY(Uuid)))
    usable = and_(files.c.state == "ready", or_(files.c.chat_id.is_(None), files.c.chat_id == chat_id))
    found = await conn.execute(select(files.c.id).where(named, usable).order_by(files.c.id).with_for_update())
    if len(found.all()) < len(ids):
        return False
    await conn.execute(update(files).where(named).values(chat_id=chat_id, linked_at=func.clock_timestamp()))
    oldest = (
        select(files.c.id)
        .where(files.c.chat_id == chat_id, files.c.state == "ready")
        .order_by(files.c.linked_at.desc(), files.c.id.desc())
        .offset(FILES_PER_CHAT)
    )
    await conn.execute(update(files).where(files.c.id.in_(oldest), ~named).values(state="gone"))
    return True


async def adopt_files(conn: AsyncConnection, chat_id: UUID, ids: Sequence[UUID]) -> None:
    """Make files that a tool has brought the chat's own, within the transaction that records its result."""
    arrived = and_(files.c.id == any_(literal(list(ids), ARRAY(Uuid))), files.c.state == "arriving")
    await conn.execute(update(files).where(arrived).values(state="ready"))
    await link_files(conn, chat_id, ids)
