"""Calls that go through the gateway: noted before they are made, completed once when they are over."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, any_, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import Uuid

from models.permissions import Permission, SiteRole
from models.spending import Bill, Payer
from models.store.accounts import Caller
from models.store.filters import Filter
from models.store.reading import reading, transaction
from models.store.spending import budgeted, pay
from models.store.tables import gateway_calls, users
from models.usage import Usage


class Outcome(StrEnum):
    """What came of a call. `UNFINISHED`: the answer did not arrive whole, or nobody waited for it. `LOST`:
    the process that made the call has died, and what the provider has answered is not known."""

    COMPLETED = "completed"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call about to be made. `id` is new; `model` is as the request names it."""

    id: UUID
    organization_id: UUID
    user_id: UUID
    token_id: UUID
    provider_id: UUID
    provider_name: str
    model: str
    endpoint: str
    streamed: bool


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool that the model has asked for. `provider_executed`: the vendor runs it."""

    id: str
    name: str
    provider_executed: bool


@dataclass(frozen=True, slots=True)
class CallResult:
    """What is known of a call that is over.

    Attributes:
        status: HTTP status that was answered; None: nobody was there to be answered.
        usage: None where the vendor has not told.
        cost_micros: None: unpriced.
    """

    outcome: Outcome
    status: int | None = None
    response_id: str | None = None
    usage: Usage | None = None
    cost_micros: int | None = None
    tool_calls: Sequence[ToolUse] = ()


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call as it is read. Times are the database's."""

    id: UUID
    organization_id: UUID
    user_id: UUID
    username: str
    provider_id: UUID
    provider_name: str
    model: str
    endpoint: str
    streamed: bool
    started_at: datetime
    finished_at: datetime | None
    status: int | None
    outcome: str | None
    response_id: str | None
    input_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cache_read_tokens: int | None
    cache_creation_tokens: int | None
    cost_micros: int | None
    tool_calls: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CallFilter(Filter):
    """Which calls to read, by when they began."""

    provider_name: str | None = None
    model: str | None = None


async def begin_call(engine: AsyncEngine, new: NewCall) -> bool:
    """Note that a call is made.

    Returns:
        Whether there is a budget for it.
    """
    limited = budgeted(*Payer(new.organization_id, new.user_id).targets)
    begun = insert(gateway_calls).values(**asdict(new)).returning(limited)
    async with reading(engine) as conn:
        return bool(await conn.scalar(begun))


async def finish_call(
    engine: AsyncEngine, call_id: UUID, result: CallResult, bill: Bill | None = None
) -> bool:
    """Complete the row of a call, and enter its bill into the books.

    Returns:
        Whether this did it; whoever comes second changes nothing of the row. The books know by themselves
        what they know already.
    """
    usage = asdict(result.usage) if result.usage is not None else {}
    async with transaction(engine) as conn:
        done = await conn.execute(
            update(gateway_calls)
            .where(gateway_calls.c.id == call_id, gateway_calls.c.finished_at.is_(None))
            .values(
                finished_at=func.now(),
                status=result.status,
                outcome=result.outcome,
                response_id=result.response_id,
                cost_micros=result.cost_micros,
                tool_calls=[asdict(one) for one in result.tool_calls],
                **usage,
            )
        )
        if bill is not None:
            await pay(conn, bill)
        return done.rowcount > 0


async def give_up_calls(engine: AsyncEngine, *, older_than_seconds: float, limit: int) -> int:
    """Complete calls as lost that no process can be making any more.

    Returns:
        How many there were; if as many as `limit`, there may be more.
    """
    age = func.make_interval(0, 0, 0, 0, 0, 0, older_than_seconds)
    lost = (
        select(gateway_calls.c.id)
        .where(gateway_calls.c.finished_at.is_(None), gateway_calls.c.started_at < func.now() - age)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    async with reading(engine) as conn:
        done = await conn.execute(
            update(gateway_calls)
            .where(gateway_calls.c.id.in_(lost))
            .values(finished_at=func.now(), outcome=Outcome.LOST)
        )
        return done.rowcount


_COLUMNS = [
    users.c.username if name == "username" else gateway_calls.c[name]
    for name in CallRecord.__dataclass_fields__
]


async def read_calls(
    engine: AsyncEngine, caller: Caller, wanted: CallFilter, *, after_id: UUID | None, limit: int
) -> list[CallRecord]:
    """Calls that the caller may read, newest first: their own, and all of organizations whose log they may
    read; all of all for site owners.

    Args:
        after_id: the last call of the page before; one that cannot be read ends the list.
    """
    place = (gateway_calls.c.started_at, gateway_calls.c.id)
    query = (
        select(*_COLUMNS)
        .join(users, users.c.id == gateway_calls.c.user_id)
        .where(_readable(caller), *wanted.conditions(gateway_calls, gateway_calls.c.started_at))
        .order_by(*(column.desc() for column in place))
        .limit(limit)
    )
    if after_id is not None:
        last = select(place[0]).where(gateway_calls.c.id == after_id, _readable(caller)).scalar_subquery()
        query = query.where(tuple_(*place) < tuple_(last, literal(after_id, Uuid)))
    async with reading(engine) as conn:
        return [CallRecord(*row) for row in await conn.execute(query)]


def _readable(caller: Caller) -> ColumnElement[bool]:
    if caller.site_role is SiteRole.OWNER:
        return gateway_calls.c.id.is_not(None)
    own = gateway_calls.c.user_id == caller.user_id
    overseen = caller.organizations_with(Permission.READ_AUDIT)
    if not overseen:
        return own
    return or_(own, gateway_calls.c.organization_id == any_(literal(overseen, ARRAY(Uuid))))
