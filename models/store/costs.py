"""What chats have cost (spec api.md 4.7)."""

from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.accounts import Caller
from models.store.chats import ChatRecord
from models.store.reading import reading
from models.store.scoping import readable
from models.store.tables import chats, messages, steps
from models.turns import StepEnd


@dataclass(frozen=True, slots=True)
class Cost:
    """Totals of a family: millionths of a dollar, finished requests, and those of them without a price."""

    total_micros: int
    requests: int
    unpriced: int


async def read_cost(engine: AsyncEngine, caller: Caller, chat: ChatRecord) -> Cost:
    """The totals of the family a chat belongs to. What was edited away, or never shown, has cost something,
    too, and counts; an answer that was cut off counts if the provider has told its usage."""
    root = chat.root_chat_id or chat.parent_chat_id or chat.id
    committed = and_(
        steps.c.chat_id == messages.c.chat_id,
        steps.c.turn == messages.c.turn,
        steps.c.step == messages.c.step,
        steps.c.end == StepEnd.COMMITTED,
        messages.c.role == "assistant",
        messages.c.compressed.is_(False),
    )
    query = (
        select(
            func.coalesce(func.sum(messages.c.cost_micros), 0),
            func.count(),
            func.count().filter(messages.c.cost_micros.is_(None)),
        )
        .select_from(messages)
        .join(chats, chats.c.id == messages.c.chat_id)
        .outerjoin(steps, committed)
        .where(
            readable(caller.user_id),
            chats.c.owner_id == chat.owner_id,
            or_(chats.c.id == root, chats.c.root_chat_id == root),
            func.num_nonnulls(messages.c.usage, messages.c.cost_micros, steps.c.chat_id) > 0,
        )
    )
    async with reading(engine) as conn:
        total, requests, unpriced = (await conn.execute(query)).one()
    return Cost(int(total), requests, unpriced)
