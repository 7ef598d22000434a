"""The order of a person's pinned chats: 1, 2, 3 … without gaps (spec api.md 4.4).

Pins of one person change one at a time, under a lock on the person. Every change numbers all of them anew, so
whatever left a gap or a double is healed by the next one.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.store.reading import transaction
from models.store.tables import chats, users


async def close_gaps(engine: AsyncEngine, owner_id: UUID) -> None:
    """Number the pinned chats anew after one of them was archived, which unpins it."""
    async with transaction(engine) as conn:
        await _number(conn, owner_id, await _pinned(conn, owner_id))


async def place_pin(conn: AsyncConnection, owner_id: UUID, chat_id: UUID, wanted: int) -> None:
    """Unpin a chat, pin it, or move it among those that are pinned.

    To be called in a transaction that has not locked any chat yet. A chat that is archived at the same time
    stays unpinned.

    Args:
        wanted: The place; 0 unpins. A chat that is not pinned yet comes last, whatever its number; one that
            is goes to the nearest place there is.
    """
    before = await _pinned(conn, owner_id)
    others = [pinned for pinned in before if pinned != chat_id]
    if wanted > 0:
        place = min(wanted - 1, len(others)) if chat_id in before else len(others)
        await _number(conn, owner_id, [*others[:place], chat_id, *others[place:]])
    else:
        await conn.execute(
            update(chats).where(chats.c.owner_id == owner_id, chats.c.id == chat_id).values(pin_order=0)
        )
        await _number(conn, owner_id, others)


async def _pinned(conn: AsyncConnection, owner_id: UUID) -> Sequence[UUID]:
    """The owner's pinned chats, in order; nobody else changes it until the transaction ends."""
    await conn.execute(select(users.c.id).where(users.c.id == owner_id).with_for_update(key_share=True))
    result = await conn.execute(
        select(chats.c.id)
        .where(
            chats.c.owner_id == owner_id,
            chats.c.parent_chat_id.is_(None),
            chats.c.archived.is_(False),
            func.nullif(chats.c.pin_order, 0).is_not(None),  # as index `chats_listed` has it
        )
        .order_by(chats.c.pin_order, chats.c.updated_at.desc(), chats.c.id.desc())
    )
    return result.scalars().all()


async def _number(conn: AsyncConnection, owner_id: UUID, order: Sequence[UUID]) -> None:
    array = literal(list(order), ARRAY(Uuid))
    places = func.unnest(array).table_valued("id", with_ordinality="place").render_derived()
    await conn.execute(
        update(chats)
        .where(
            chats.c.id == places.c.id,
            chats.c.owner_id == owner_id,
            chats.c.archived.is_(False),
            chats.c.pin_order != places.c.place,
        )
        .values(pin_order=places.c.place)
    )
