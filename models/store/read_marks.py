"""How far an owner has read (spec api.md 6.1)."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.messages import ANSWERS
from models.store.reading import reading
from models.store.tables import chats, messages


async def mark_read(engine: AsyncEngine, owner_id: UUID, chat_id: UUID) -> None:
    """Move the read cursor to the newest answer, if the owner has not read that yet.
    The chat's place in lists stays."""
    newest = (
        select(messages.c.id)
        .where(messages.c.chat_id == chat_id, *ANSWERS)
        .order_by(messages.c.id.desc())
        .limit(1)
        .subquery()
    )
    async with reading(engine) as conn:
        await conn.execute(
            update(chats)
            .where(
                chats.c.id == chat_id,
                chats.c.owner_id == owner_id,
                func.coalesce(chats.c.last_read_message_id, 0) < newest.c.id,
            )
            .values(last_read_message_id=newest.c.id)
        )
