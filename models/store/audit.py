"""The audit log: written in the transaction of the change that it tells of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import any_, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import Uuid

from models.permissions import Permission, SiteRole
from models.store.accounts import Caller
from models.store.filters import Filter
from models.store.reading import reading
from models.store.tables import audit_log


@dataclass(frozen=True, slots=True)
class Change:
    """A change that somebody makes, or tries to.

    Attributes:
        action: `create`, `write`, `delete`, `login` or `logout`.
        organization_id: Whose administrators may read of it; None: it is about the site.
        changes: New values of changed fields. Never secrets.
    """

    user_id: UUID | None
    username: str
    action: str
    target_type: str
    target_id: str
    target_name: str = ""
    organization_id: UUID | None = None
    request_id: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A line of the log."""

    id: int
    at: datetime
    organization_id: UUID | None
    user_id: UUID | None
    username: str
    action: str
    target_type: str
    target_id: str
    target_name: str
    outcome: str
    status: int
    request_id: str
    changes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFilter(Filter):
    """Which lines to read."""

    action: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    outcome: str | None = None


_COLUMNS = [audit_log.c[name] for name in AuditEntry.__dataclass_fields__]


async def write_change(
    conn: AsyncConnection, change: Change | None, *, target_id: object = None, status: int = 200
) -> None:
    """Note a change in the transaction that makes it.

    Args:
        target_id: What it made, where that was not known before.
        status: The HTTP status of its answer.
    """
    if change is not None:
        if target_id is not None:
            change = replace(change, target_id=str(target_id))
        await _write(conn, change, "done", status)


async def write_rejected(engine: AsyncEngine, change: Change, status: int) -> None:
    """Note a change that was refused."""
    async with reading(engine) as conn:  # one statement: it commits by itself
        await _write(conn, change, "rejected", status)


async def _write(conn: AsyncConnection, change: Change, outcome: str, status: int) -> None:
    await conn.execute(
        insert(audit_log).values(
            user_id=change.user_id,
            username=change.username,
            action=change.action,
            target_type=change.target_type,
            target_id=change.target_id,
            target_name=change.target_name,
            organization_id=change.organization_id,
            request_id=change.request_id,
            changes=dict(change.changes),
            outcome=outcome,
            status=status,
        )
    )


async def read_audit(
    engine: AsyncEngine, caller: Caller, wanted: AuditFilter, *, before_id: int | None, limit: int
) -> list[AuditEntry]:
    """What the caller may read of the log, newest first: all of it for site owners, else that of the
    organizations where their role lets them."""
    narrowed = wanted.conditions(audit_log, audit_log.c.at)
    query = select(*_COLUMNS).where(*narrowed).order_by(audit_log.c.id.desc()).limit(limit)
    if caller.site_role is not SiteRole.OWNER:
        readable = literal(caller.organizations_with(Permission.READ_AUDIT), ARRAY(Uuid))
        query = query.where(audit_log.c.organization_id == any_(readable))
    if before_id is not None:
        query = query.where(audit_log.c.id < before_id)
    async with reading(engine) as conn:
        return [AuditEntry(*row) for row in await conn.execute(query)]
