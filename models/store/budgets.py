"""Budgets as administrators see them: set, listed, removed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.spending import BEGINNING, Period, Pot, SpendingState
from models.store.audit import Change, write_change
from models.store.reading import reading, transaction
from models.store.scoping import FAMILY
from models.store.spending import POT_COLUMNS, pot_of, start_of_period
from models.store.tables import budgets, chats, memberships, spendings, users


@dataclass(frozen=True, slots=True)
class BudgetRecord:
    """A budget with the names of whom it is for; the organization's has neither a user nor a chat."""

    pot: Pot
    organization_id: UUID
    user_id: UUID | None
    username: str | None
    chat_id: UUID | None
    period_start: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Limit:
    """What a budget is to be. Without a user and a chat it is the organization's."""

    period: Period
    limit_micros: int
    user_id: UUID | None = None
    chat_id: UUID | None = None


class NoSuchPot(LookupError):
    """The organization has no such member, or no such chat."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def _records(organization_id: UUID) -> Select[*tuple[Any, ...]]:
    return (
        select(
            *POT_COLUMNS,
            budgets.c.organization_id,
            budgets.c.user_id,
            users.c.username,
            budgets.c.chat_id,
            start_of_period(func.clock_timestamp()).label("period_start"),
            budgets.c.updated_at,
        )
        .outerjoin(users, users.c.id == budgets.c.user_id)
        .where(budgets.c.organization_id == organization_id)
    )


async def _read(engine: AsyncEngine, query: Select[*tuple[Any, ...]]) -> list[BudgetRecord]:
    async with reading(engine) as conn:
        rows = (await conn.execute(query)).mappings().all()
    names = [name for name in BudgetRecord.__dataclass_fields__ if name != "pot"]
    return [BudgetRecord(pot_of(row), **{name: row[name] for name in names}) for row in rows]


async def list_budgets(
    engine: AsyncEngine, organization_id: UUID, *, limit: int, offset: int
) -> list[BudgetRecord]:
    """The budgets of an organization: its own first, then those of users, then those of chats."""
    order = (
        budgets.c.chat_id.is_not(None),
        budgets.c.user_id.is_not(None),
        users.c.username,
        budgets.c.period,
        budgets.c.id,
    )
    query = _records(organization_id).order_by(*order).limit(limit).offset(offset)
    return await _read(engine, query)


async def find_budget(engine: AsyncEngine, organization_id: UUID, budget_id: UUID) -> BudgetRecord | None:
    """A budget of an organization."""
    found = await _read(engine, _records(organization_id).where(budgets.c.id == budget_id))
    return found[0] if found else None


async def set_budget(
    engine: AsyncEngine, organization_id: UUID, wanted: Limit, change: Change | None
) -> UUID:
    """Make a budget, or change the limit of the one that there is for this pot and period.

    What was spent in the present period before the budget was made counts. Making one waits for what is being
    written into the books at the moment, and lets nobody write until it has added them up.

    Returns:
        Its id.

    Raises:
        NoSuchPot: nothing is changed.
    """
    async with transaction(engine) as conn:
        family = await _checked_family(conn, organization_id, wanted)
        budget_id = uuid4()
        values = {
            "id": budget_id,
            "organization_id": organization_id,
            "user_id": wanted.user_id,
            "chat_id": family,
            "period": wanted.period,
            "limit_micros": wanted.limit_micros,
            "period_start": BEGINNING,
        }
        made = await conn.scalar(
            insert(budgets)
            .values(**values)
            .on_conflict_do_update(
                constraint="budgets_one_per_period",
                set_={"limit_micros": wanted.limit_micros, "updated_at": func.now()},
            )
            .returning(budgets.c.id)
        )
        assert made is not None
        if made == budget_id:
            # whoever writes into the books after this sees the budget, and counts
            await conn.execute(text("LOCK TABLE spendings IN SHARE MODE"))
            await _add_up(conn, budget_id, organization_id, wanted, family)
        await write_change(conn, change, target_id=made)
        return made


async def _checked_family(conn: AsyncConnection, organization_id: UUID, wanted: Limit) -> UUID | None:
    """The root of the chat that a budget is for, if it is for one.

    Raises:
        NoSuchPot: the organization has no such member, or no such chat.
    """
    if wanted.user_id is not None:
        member = select(memberships.c.user_id).where(
            memberships.c.organization_id == organization_id, memberships.c.user_id == wanted.user_id
        )
        if await conn.scalar(member) is None:
            raise NoSuchPot("user_id")
    if wanted.chat_id is None:
        return None
    root = select(FAMILY).where(chats.c.organization_id == organization_id, chats.c.id == wanted.chat_id)
    family = await conn.scalar(root)
    if family is None:
        raise NoSuchPot("chat_id")
    return family


async def _add_up(
    conn: AsyncConnection, budget_id: UUID, organization_id: UUID, wanted: Limit, family: UUID | None
) -> None:
    """Begin with what has left the pot in the present period."""
    now = select(start_of_period(func.clock_timestamp())).where(budgets.c.id == budget_id)
    start = (await conn.execute(now)).scalar_one()
    pot = spendings.c.created_at >= start
    if family is not None:
        pot &= spendings.c.root_chat_id == family
    elif wanted.user_id is not None:
        pot &= spendings.c.user_id == wanted.user_id
    is_reserved = spendings.c.state == SpendingState.RESERVED
    spent, reserved = (
        await conn.execute(
            select(
                func.coalesce(func.sum(spendings.c.cost_micros).filter(~is_reserved), 0),
                func.coalesce(func.sum(spendings.c.reserved_micros).filter(is_reserved), 0),
            ).where(spendings.c.organization_id == organization_id, pot)
        )
    ).one()
    await conn.execute(
        update(budgets)
        .where(budgets.c.id == budget_id)
        .values(period_start=start, spent_micros=spent, reserved_micros=reserved)
    )


async def remove_budget(engine: AsyncEngine, organization_id: UUID, budget_id: UUID, change: Change) -> bool:
    """Forget a budget; whether there was one. What was spent stays in the books."""
    async with transaction(engine) as conn:
        result = await conn.execute(
            delete(budgets).where(budgets.c.organization_id == organization_id, budgets.c.id == budget_id)
        )
        if result.rowcount:
            await write_change(conn, change)
        return result.rowcount > 0
