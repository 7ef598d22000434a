"""The books: what calls may cost while they are under way, and what they have cost.

Whoever writes a row of `spendings` counts it in the budgets it falls into, in the same transaction, so that a
budget always agrees with its rows. Locks are taken in one order: the chat, then budgets by id, then rows of
calls that were reserved.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    ColumnExpressionArgument,
    RowMapping,
    Uuid,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.spending import (
    BEGINNING,
    Bill,
    BudgetScope,
    PaidCall,
    Payer,
    Period,
    Pot,
    Refused,
    SpendingState,
)
from models.store.reading import transaction
from models.store.tables import budgets, spendings
from models.usage import Usage

_TOKENS = tuple(Usage.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Hold:
    """So much is set aside for a call, in every pot it falls into."""

    micros: int


def falls_into(organization: object, user: object, family: object) -> ColumnElement[bool]:
    """Whether calls of this organization, user and chat family count in the budget of a row.

    Args:
        organization, user, family: ids, or columns of the query that hold them; the user's once more in place
            of a family that there is not.
    """
    return (budgets.c.organization_id == organization) & or_(
        budgets.c.target_id == organization, budgets.c.target_id == user, budgets.c.target_id == family
    )


def budgeted(organization: object, user: object, family: object) -> ColumnElement[bool]:
    """Whether there is any budget for calls of these: a column for queries that begin a call."""
    return select(budgets.c.id).where(falls_into(organization, user, family)).exists()


def start_of_period(at: object) -> ColumnElement[datetime]:
    """The beginning of the period of a budget's row that a moment is in."""
    return case(
        (budgets.c.period == Period.DAY, func.date_trunc("day", at, "UTC")),
        (budgets.c.period == Period.MONTH, func.date_trunc("month", at, "UTC")),
        else_=BEGINNING,
    )


def _id(name: str) -> ColumnElement[UUID]:
    return bindparam(name, type_=Uuid())


_OF_PAYER = falls_into(_id("organization"), _id("user"), _id("family"))
_AT = bindparam("at", type_=budgets.c.period_start.type)
_IS_PRESENT = budgets.c.period_start == start_of_period(_AT)

_LOCK = select(budgets.c.id).where(_OF_PAYER).order_by(budgets.c.id).with_for_update()

_COUNT = (
    update(budgets)
    .where(_OF_PAYER, budgets.c.period_start <= start_of_period(_AT))
    .values(
        spent_micros=func.greatest(
            0, case((_IS_PRESENT, budgets.c.spent_micros), else_=0) + bindparam("spent")
        ),
        reserved_micros=func.greatest(
            0, case((_IS_PRESENT, budgets.c.reserved_micros), else_=0) + bindparam("reserved")
        ),
        period_start=start_of_period(_AT),
    )
)
"""Counts what belongs to a moment. In a budget that has begun anew since, it counts no more."""

_SCOPE = case(
    (budgets.c.chat_id.is_not(None), BudgetScope.CHAT.value),
    (budgets.c.user_id.is_not(None), BudgetScope.USER.value),
    else_=BudgetScope.ORGANIZATION.value,
)
_NARROWEST_FIRST = case((budgets.c.chat_id.is_not(None), 0), (budgets.c.user_id.is_not(None), 1), else_=2)


def _in_present(column: ColumnElement[int]) -> ColumnElement[int]:
    """A sum of the present period; one of an earlier period is over."""
    return case((budgets.c.period_start >= start_of_period(func.clock_timestamp()), column), else_=0)


_CONSUMED = _in_present(budgets.c.spent_micros)
_RESERVED = _in_present(budgets.c.reserved_micros)

POT_COLUMNS = (
    budgets.c.id,
    _SCOPE.label("scope"),
    budgets.c.period,
    budgets.c.limit_micros,
    _CONSUMED.label("consumed_micros"),
    _RESERVED.label("reserved_micros"),
)
"""For `pot_of`."""

_POTS = (
    select(*POT_COLUMNS, func.greatest(func.clock_timestamp(), budgets.c.period_start).label("at"))
    .where(_OF_PAYER)
    .order_by(_NARROWEST_FIRST, budgets.c.id)
)
_EXHAUSTED = (
    select(*POT_COLUMNS)
    .where(_OF_PAYER, budgets.c.limit_micros <= _CONSUMED)
    .order_by(_NARROWEST_FIRST, budgets.c.id)
    .limit(1)
)


def pot_of(row: RowMapping) -> Pot:
    """A row of `POT_COLUMNS`, whatever other columns it has."""
    columns = {name: row[name] for name in Pot.__dataclass_fields__ if name not in ("scope", "period")}
    return Pot(**columns, scope=BudgetScope(row["scope"]), period=Period(row["period"]))


def exhausted(organization: object, user: object, family: object) -> ColumnElement[bool]:
    """Whether a budget for calls of these is used up: a column for queries that let somebody begin one."""
    used_up = budgets.c.limit_micros <= _CONSUMED
    return select(budgets.c.id).where(falls_into(organization, user, family), used_up).exists()


async def read_exhausted(conn: AsyncConnection, payer: Payer) -> Pot | None:
    """The narrowest of the budgets that are used up; None if none is."""
    row = (await conn.execute(_EXHAUSTED, _named(payer))).mappings().one_or_none()
    return None if row is None else pot_of(row)


async def reserve(
    engine: AsyncEngine, payer: Payer, call: PaidCall, worst_case_micros: int | None
) -> Hold | Refused | None:
    """Set the worst case of a call aside in every pot it falls into, or in none.

    An earlier call for the same at the same place of the chat, of which nobody has told what it has cost, is
    lost: what it may have cost counts as spent from now on.

    Args:
        worst_case_micros: None if the model has no price: then no budget admits it.

    Returns:
        None if there is no budget for it. The call may be made, and is paid for all the same.
    """
    async with transaction(engine) as conn:
        if not (await conn.execute(_LOCK, _named(payer))).all():
            return None
        if call.turn is not None:
            await _assume(
                conn,
                spendings.c.chat_id == payer.chat_id,
                spendings.c.turn == call.turn,
                spendings.c.step == call.step,
                spendings.c.purpose == call.purpose,
            )
        rows = (await conn.execute(_POTS, _named(payer))).mappings().all()
        pots = [pot_of(row) for row in rows]
        if worst_case_micros is None:
            return Refused(pots[0], None)
        for pot in pots:
            if not pot.admits(worst_case_micros):
                return Refused(pot, worst_case_micros)
        at = max(row["at"] for row in rows)
        values = {**_place(payer, call), "state": SpendingState.RESERVED, "created_at": at}
        await conn.execute(insert(spendings).values(**values, reserved_micros=worst_case_micros))
        await _count(conn, payer, at, reserved=worst_case_micros)
        return Hold(worst_case_micros)


@dataclass(frozen=True, slots=True)
class Entry:
    """A bill on its way into the books, along with another statement: that takes `cte` along and returns
    `columns`, and what these have brought goes to `count`. For calls that nothing is set aside for."""

    bill: Bill
    cte: CTE
    columns: tuple[ColumnElement[datetime | None], ColumnElement[bool]]

    @classmethod
    def of(cls, bill: Bill) -> "Entry":
        written = _entry(bill)
        # seen by this very statement: a budget that is made later adds up the row itself
        limited = budgeted(*bill.payer.targets).label("booked_on_budget")
        at = select(written.c.created_at).scalar_subquery().label("booked_at")
        return cls(bill, written, (at, limited))

    async def count(self, conn: AsyncConnection, booked_at: datetime | None, limited: bool) -> None:
        """Count the row in the budgets that there are, in the same transaction."""
        if booked_at is not None and limited:
            await conn.execute(_LOCK, _named(self.bill.payer))
            await _count(conn, self.bill.payer, booked_at, spent=self.bill.cost_micros or 0)


def _entry(bill: Bill) -> CTE:
    """Writes a settled call. It returns a row unless this bill was entered before."""
    return (
        insert(spendings)
        .values(**_place(bill.payer, bill.call), **_result(bill))
        .on_conflict_do_nothing(index_elements=[spendings.c.id])
        .returning(spendings.c.created_at, spendings.c.cost_micros)
        .cte("spent")
    )


async def pay(conn: AsyncConnection, bill: Bill) -> None:
    """Enter what has become of a call, whether it was reserved, lost in the meantime, or neither. A bill that
    comes again changes nothing, and neither does one that knows less than what is known."""
    await conn.execute(_LOCK, _named(bill.payer))
    known = (
        await conn.execute(
            select(spendings.c.state, spendings.c.reserved_micros, spendings.c.created_at)
            .where(spendings.c.id == bill.call.id)
            .with_for_update()
        )
    ).one_or_none()
    if known is None:
        if bill.state is not None:
            written = (await conn.execute(select(_entry(bill)))).one_or_none()
            if written is not None:
                await _count(conn, bill.payer, written.created_at, spent=bill.cost_micros or 0)
        return
    if known.state in (SpendingState.SETTLED, bill.state):
        return
    which = spendings.c.id == bill.call.id
    if bill.state is None:
        await conn.execute(spendings.delete().where(which))
    else:
        await conn.execute(update(spendings).where(which).values(**_result(bill)))
    was_reserved = known.state == SpendingState.RESERVED
    await _count(
        conn,
        bill.payer,
        known.created_at,
        spent=(bill.cost_micros or 0) - (0 if was_reserved else known.reserved_micros),
        reserved=-known.reserved_micros if was_reserved else 0,
    )


async def is_entered(conn: AsyncConnection, bill: Bill) -> bool:
    """Whether a bill was entered before, or one that knows more."""
    known = spendings.c.state.in_([SpendingState.SETTLED, bill.state])
    return await conn.scalar(select(spendings.c.id).where(spendings.c.id == bill.call.id, known)) is not None


async def settle(engine: AsyncEngine, bill: Bill) -> None:
    """`pay` in a transaction of its own."""
    async with transaction(engine) as conn:
        await pay(conn, bill)


async def assume_older(conn: AsyncConnection, age_seconds: float) -> int:
    """Let count as spent what was reserved this long ago: no call takes longer, so it is lost. Should it
    come back after all, it is settled.

    Returns:
        How many there were.
    """
    old = spendings.c.created_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, age_seconds)
    their = falls_into(spendings.c.organization_id, spendings.c.user_id, spendings.c.root_chat_id)
    lost = select(spendings.c.id).where(old, spendings.c.state == SpendingState.RESERVED, their)
    await conn.execute(select(budgets.c.id).where(lost.exists()).order_by(budgets.c.id).with_for_update())
    return await _assume(conn, old)


async def _assume(conn: AsyncConnection, *which: ColumnExpressionArgument[bool]) -> int:
    """Let reserved calls count as spent. The budgets they fall into must be locked."""
    lost = (
        update(spendings)
        .where(spendings.c.state == SpendingState.RESERVED, *which)
        .values(state=SpendingState.ASSUMED, cost_micros=spendings.c.reserved_micros)
        .returning(
            spendings.c.organization_id,
            spendings.c.user_id,
            spendings.c.root_chat_id,
            spendings.c.reserved_micros,
            spendings.c.created_at,
        )
        .cte("lost")
    )
    moved = (
        select(budgets.c.id, func.sum(lost.c.reserved_micros).label("micros"))
        .join(
            lost,
            falls_into(lost.c.organization_id, lost.c.user_id, lost.c.root_chat_id)
            & (budgets.c.period_start <= lost.c.created_at),
        )
        .group_by(budgets.c.id)
        .cte("moved")
    )
    counted = (
        update(budgets)
        .where(budgets.c.id == moved.c.id)
        .values(
            reserved_micros=budgets.c.reserved_micros - moved.c.micros,
            spent_micros=budgets.c.spent_micros + moved.c.micros,
        )
        .cte("counted")
    )
    result = await conn.execute(select(func.count()).select_from(lost).add_cte(counted))
    return result.scalar_one()


async def _count(
    conn: AsyncConnection, payer: Payer, at: datetime, *, spent: int = 0, reserved: int = 0
) -> None:
    await conn.execute(_COUNT, {**_named(payer), "at": at, "spent": spent, "reserved": reserved})


def _named(payer: Payer) -> dict[str, UUID]:
    return dict(zip(("organization", "user", "family"), payer.targets, strict=True))


def _place(payer: Payer, call: PaidCall) -> dict[str, object]:
    return {
        "id": call.id,
        "organization_id": payer.organization_id,
        "user_id": payer.user_id,
        "chat_id": payer.chat_id,
        "root_chat_id": payer.root_chat_id,
        "turn": call.turn,
        "step": call.step,
        "purpose": call.purpose,
        "provider": call.provider,
        "model": call.model,
        "model_config_id": call.model_config_id,
    }


def _result(bill: Bill) -> dict[str, object]:
    usage = bill.usage or {}
    counts = {name: usage.get(name, 0) for name in _TOKENS}
    return {"state": bill.state, "cost_micros": bill.cost_micros, **counts}
