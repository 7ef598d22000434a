"""A root chat and all chats below it, which are archived and unarchived together (spec state-machine.md 3).

The root's row is locked first, then those below it in the order of their ids. Their own workflows learn of
it when their next write is refused as stale.
"""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from models.chat_state import ChatState, ChatStatus, StateName
from models.store.bundle import Bundle
from models.store.reading import reading
from models.store.tables import chats
from models.turns import Verdict


async def refusal(bundle: Bundle) -> Verdict | None:
    """What keeps the chats below a root from following it: one of them is at work, or in no valid state.
    From now on they stay as they are until the bundle ends."""
    result = await bundle.conn.execute(
        select(chats.c.status, chats.c.archived, chats.c.queued)
        .where(chats.c.root_chat_id == bundle.chat_id)
        .order_by(chats.c.id)
        .with_for_update()
    )
    states = [
        ChatState(status=ChatStatus(status), archived=archived, queued=queued)
        for status, archived, queued in result
    ]
    if any(state.name is StateName.INVALID for state in states):
        return Verdict.FAMILY_INVALID
    return None if all(state.at_rest for state in states) else Verdict.FAMILY_BUSY


async def follow(bundle: Bundle, *, archived: bool) -> None:
    """Make the chats below a root archived or not. One that was so already counts a version, too."""
    await bundle.conn.execute(
        update(chats)
        .where(chats.c.root_chat_id == bundle.chat_id)
        .values(archived=archived, snapshot_version=chats.c.snapshot_version + 1, updated_at=func.now())
    )


async def read_versions_below(engine: AsyncEngine, root_id: UUID) -> list[tuple[UUID, int]]:
    """The chats below a root, with their snapshot versions."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(chats.c.id, chats.c.snapshot_version).where(chats.c.root_chat_id == root_id)
        )
        return [(row.id, row.snapshot_version) for row in result]
