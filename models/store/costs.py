"""What chats have cost (spec api.md 4.7), and calls beside the conversation that have cost something."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.parts import CONTENT_VERSION
from models.spending import Bill
from models.store.accounts import Caller
from models.store.chats import ChatRecord
from models.store.reading import reading, transaction
from models.store.scoping import readable
from models.store.spending import Entry, is_entered, pay
from models.store.tables import chats, messages, steps
from models.turns import StepEnd


@dataclass(frozen=True, slots=True)
class Cost:
    """Totals of a family: millionths of a dollar, finished requests, and those of them without a price."""

    total_micros: int
    requests: int
    unpriced: int


@dataclass(frozen=True, slots=True)
class Aside:
    """What a call beside the conversation has used."""

    bill: Bill
    runtime_ms: int
    provider_response_id: str | None


async def record_aside(
    conn: AsyncConnection, aside: Aside, *, turn: int, content: Sequence[dict[str, Any]] = ()
) -> int:
    """Keep what a call of a chat has used, and pay for it, as a message that neither people nor models see:
    deleted, and for the model alone (spec chat-loop.md 3.6).

    Returns:
        The id of the row.
    """
    bill = aside.bill
    statement = insert(messages).values(
        chat_id=bill.payer.chat_id,
        role="assistant",
        content=list(content),
        content_version=CONTENT_VERSION,
        visibility="model",
        deleted=True,
        turn=turn,
        step=0,
        model_config_id=bill.call.model_config_id,
        usage=None if bill.usage is None else dict(bill.usage),
        cost_micros=bill.known_cost_micros,
        runtime_ms=aside.runtime_ms,
        provider_response_id=aside.provider_response_id,
        created_at=func.now(),
    )
    if bill.held:
        # the message first: it locks the chat, and the books come behind that
        message_id = (await conn.execute(statement.returning(messages.c.id))).scalar_one()
        await pay(conn, bill)
        return message_id
    entry = Entry.of(bill)
    returning = statement.add_cte(entry.cte).returning(messages.c.id, *entry.columns)
    row = (await conn.execute(returning)).one()
    await entry.count(conn, row.booked_at, row.booked_on_budget)
    return row.id


async def keep_aside(engine: AsyncEngine, aside: Aside, *, turn: int) -> None:
    """`record_aside` in a transaction of its own. A repetition changes nothing."""
    async with transaction(engine) as conn:
        if not await is_entered(conn, aside.bill):
            await record_aside(conn, aside, turn=turn)


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
