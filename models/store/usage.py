"""What calls have used and cost, added up: by day, model, user or chat, in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, any_, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import Uuid

from models.permissions import Permission, SiteRole
from models.spending import SpendingState
from models.store.accounts import Caller
from models.store.filters import Filter
from models.store.reading import reading
from models.store.tables import spendings, users


class UsageBy(StrEnum):
    """What to add up by. Days are those of UTC."""

    DAY = "day"
    MODEL = "model"
    USER = "user"
    CHAT = "chat"


@dataclass(frozen=True, slots=True)
class UsageFilter(Filter):
    """Which calls, of those that the caller may know of."""

    root_chat_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """Sums over calls.

    Attributes:
        requests: calls that are over.
        unpriced_requests: those of them whose cost is not known, for want of a price.
        cost_micros: with `assumed_cost_micros`, which is the worst case of calls that told no usage.
    """

    requests: int
    unpriced_requests: int
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cache_creation_tokens: int
    cache_read_tokens: int
    cost_micros: int
    assumed_cost_micros: int


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The sums of one day, model, user or chat, which is named by the fields of `key`."""

    key: dict[str, Any]
    used: Used


@dataclass(frozen=True, slots=True)
class Usage:
    """Rows, the dearest first or day by day, and the sums over all there are."""

    rows: Sequence[UsageRow]
    total: Used
    has_more: bool


_NOTHING = Used(0, 0, 0, 0, 0, 0, 0, 0, 0)

_IS_ASSUMED = spendings.c.state == SpendingState.ASSUMED
_SUMS: dict[str, ColumnElement[Any]] = {
    "requests": func.count(),
    "unpriced_requests": func.count().filter(spendings.c.cost_micros.is_(None)),
    **{name: func.sum(spendings.c[name]) for name in Used.__dataclass_fields__ if name.endswith("_tokens")},
    "cost_micros": func.coalesce(func.sum(spendings.c.cost_micros), 0),
    "assumed_cost_micros": func.coalesce(func.sum(spendings.c.cost_micros).filter(_IS_ASSUMED), 0),
}

_DAY = func.date_trunc("day", spendings.c.created_at, "UTC")
_KEYS: dict[UsageBy, dict[str, ColumnElement[Any]]] = {
    UsageBy.DAY: {"day": _DAY},
    UsageBy.MODEL: {"provider": spendings.c.provider, "model": spendings.c.model},
    UsageBy.USER: {"user_id": spendings.c.user_id, "username": users.c.username},
    UsageBy.CHAT: {"chat_id": spendings.c.chat_id},
}


def _known_to(caller: Caller) -> ColumnElement[bool]:
    """The calls that a caller may know of: their own in their organizations, and all of those whose chats
    they may read."""
    if caller.site_role is SiteRole.OWNER:
        return true()

    def among(organizations: list[UUID]) -> ColumnElement[bool]:
        return spendings.c.organization_id == any_(literal(organizations, ARRAY(Uuid)))

    own = and_(spendings.c.user_id == caller.user_id, among(caller.organization_ids))
    return or_(own, among(caller.organizations_with(Permission.READ_ALL_CHATS)))


async def read_usage(
    engine: AsyncEngine, caller: Caller, by: UsageBy, wanted: UsageFilter, *, limit: int
) -> Usage:
    """What a caller may know of what was used. Calls that are under way are not in it."""
    keys = _KEYS[by]
    query = (
        select(
            *(column.label(name) for name, column in keys.items()),
            *(column.label(name) for name, column in _SUMS.items()),
            *(func.sum(column).over().label(f"all_{name}") for name, column in _SUMS.items()),
        )
        .where(
            _known_to(caller),
            spendings.c.state != SpendingState.RESERVED,
            *wanted.conditions(spendings, spendings.c.created_at),
        )
        .group_by(*keys.values())
        .order_by(_DAY if by is UsageBy.DAY else _SUMS["cost_micros"].desc(), *keys.values())
        .limit(limit + 1)
    )
    if by is UsageBy.USER:
        query = query.outerjoin_from(spendings, users, users.c.id == spendings.c.user_id)
    async with reading(engine) as conn:
        found = (await conn.execute(query)).mappings().all()
    rows = [
        UsageRow({name: row[name] for name in keys}, Used(**{name: int(row[name]) for name in _SUMS}))
        for row in found
    ]
    total = Used(**{name: int(found[0][f"all_{name}"]) for name in _SUMS}) if found else _NOTHING
    return Usage(rows[:limit], total, len(rows) > limit)
