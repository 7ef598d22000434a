"""Users: everybody who can sign in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Select, any_, exists, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import Uuid

from models.permissions import Role, SiteRole
from models.store.accounts import Caller
from models.store.audit import Change, write_change
from models.store.reading import reading, transaction
from models.store.tables import api_tokens, memberships, users

RESERVED_USERNAMES = frozenset({"me", "authmethods", "logout", "oidc"})
"""They stand for something else in paths."""


class NameTaken(Exception):
    """Somebody has this username, or this address, already."""


class NoOrganization(Exception):
    """There is no such organization."""


class LastOwner(Exception):
    """Nobody who can act would own the site, or the organization, any more."""


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user and where they are a member."""

    id: UUID
    username: str
    name: str
    email: str | None
    status: str
    site_role: str
    created_at: datetime
    updated_at: datetime
    last_seen_at: datetime | None
    organization_ids: list[UUID]


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user about to be made, with the organizations they are put in."""

    username: str
    name: str = ""
    email: str | None = None
    memberships: tuple[tuple[UUID, Role], ...] = ()
    site_role: SiteRole = SiteRole.NONE


_LAST_SEEN = (
    select(func.max(api_tokens.c.last_used_at)).where(api_tokens.c.user_id == users.c.id).scalar_subquery()
)
_ORGANIZATIONS = func.array(
    select(memberships.c.organization_id)
    .where(memberships.c.user_id == users.c.id)
    .order_by(memberships.c.created_at, memberships.c.organization_id)
    .scalar_subquery()
)


def _select_users() -> Select[*tuple[Any, ...]]:
    return select(
        users.c.id,
        users.c.username,
        users.c.name,
        users.c.email,
        users.c.status,
        users.c.site_role,
        users.c.created_at,
        users.c.updated_at,
        _LAST_SEEN.label("last_seen_at"),
        _ORGANIZATIONS.label("organization_ids"),
    )


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    """Oneself, and those who share an organization; for site owners everybody."""
    if caller.site_role is SiteRole.OWNER:
        return literal(True)
    here = literal(caller.organization_ids, ARRAY(Uuid))
    return or_(
        users.c.id == caller.user_id,
        exists().where(memberships.c.user_id == users.c.id, memberships.c.organization_id == any_(here)),
    )


async def list_users(
    engine: AsyncEngine,
    caller: Caller,
    *,
    text: str | None,
    status: str | None,
    after_id: UUID | None,
    limit: int,
    offset: int,
) -> tuple[list[UserRecord], int]:
    """A page of the users that the caller may see, by name, and how many there are in all.

    Args:
        text: Part of a username, a name or an address.
        after_id: Resume behind this user.
    """
    wanted = [_visible_to(caller)]
    if text:
        columns = (users.c.username, users.c.name, users.c.email)
        wanted.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    if status:
        wanted.append(users.c.status == status)
    page = _select_users().where(*wanted).order_by(users.c.username, users.c.id).limit(limit).offset(offset)
    if after_id is not None:
        behind = select(users.c.username).where(users.c.id == after_id, _visible_to(caller)).scalar_subquery()
        page = page.where(tuple_(users.c.username, users.c.id) > tuple_(behind, literal(after_id, Uuid)))
    async with reading(engine) as conn:
        count = await conn.scalar(select(func.count()).select_from(users).where(*wanted))
        found = await conn.execute(page)
        return [UserRecord(*row) for row in found], count or 0


async def find_user(engine: AsyncEngine, caller: Caller, name: str | UUID) -> UserRecord | None:
    """A user by id or by username; None if there is none that the caller may see."""
    which = users.c.id == name if isinstance(name, UUID) else users.c.username == name
    async with reading(engine) as conn:
        found = await conn.execute(_select_users().where(_visible_to(caller), which))
        row = found.one_or_none()
    return None if row is None else UserRecord(*row)


async def roles_of(engine: AsyncEngine, user_id: UUID) -> dict[UUID, Role]:
    """The organizations a user is in, and as what."""
    async with reading(engine) as conn:
        found = await conn.execute(
            select(memberships.c.organization_id, memberships.c.role).where(memberships.c.user_id == user_id)
        )
        return {row.organization_id: Role(row.role) for row in found}


async def add_user(conn: AsyncConnection, new: NewUser) -> UserRecord:
    """Make a user within a transaction.

    Raises:
        NameTaken: The username or the address is somebody else's.
        NoOrganization: There is none of an id.
    """
    user_id = uuid4()
    try:
        await conn.execute(
            insert(users).values(
                id=user_id, username=new.username, name=new.name, email=new.email, site_role=new.site_role
            )
        )
    except IntegrityError:
        raise NameTaken from None
    if new.memberships:
        rows = [
            {"user_id": user_id, "organization_id": organization, "role": role}
            for organization, role in new.memberships
        ]
        try:
            await conn.execute(insert(memberships).values(rows))
        except IntegrityError:
            raise NoOrganization from None
    found = await conn.execute(_select_users().where(users.c.id == user_id))
    return UserRecord(*found.one())


async def create_user(engine: AsyncEngine, new: NewUser, change: Change | None = None) -> UserRecord:
    """Make a user, and note it in the audit log.

    Raises:
        NameTaken: The username or the address is somebody else's.
        NoOrganization: There is none of an id.
    """
    async with transaction(engine) as conn:
        user = await add_user(conn, new)
        await write_change(conn, change, target_id=user.id, status=201)
        return user


async def edit_user(
    engine: AsyncEngine, user_id: UUID, fields: Mapping[str, Any], change: Change | None = None
) -> UserRecord:
    """Change columns of a user: username, name, email, status, site_role.

    Raises:
        NameTaken: The username or the address is somebody else's.
        LastOwner: Nobody who can act would own the site any more.
    """
    async with transaction(engine) as conn:
        if fields.get("status") == "suspended" or fields.get("site_role") == SiteRole.NONE:
            await _keep_an_owner(conn, user_id)
        try:
            await conn.execute(
                update(users).where(users.c.id == user_id).values(**fields, updated_at=func.now())
            )
        except IntegrityError:
            raise NameTaken from None
        await write_change(conn, change)
        found = await conn.execute(_select_users().where(users.c.id == user_id))
        return UserRecord(*found.one())


async def _keep_an_owner(conn: AsyncConnection, but: UUID) -> None:
    # locked, so that of two who leave at once the second sees that the first has gone
    owners = await conn.scalars(
        select(users.c.id)
        .where(users.c.site_role == SiteRole.OWNER, users.c.status == "active")
        .order_by(users.c.id)
        .with_for_update()
    )
    if set(owners) == {but}:
        raise LastOwner
