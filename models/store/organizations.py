"""Organizations and their members."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, any_, delete, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import Uuid

from models.permissions import Role, SiteRole
from models.store.accounts import Caller
from models.store.audit import Change, write_change
from models.store.reading import reading, transaction
from models.store.tables import chat_user_readers, chats, memberships, organizations, users
from models.store.users import LastOwner, NameTaken


@dataclass(frozen=True, slots=True)
class OrganizationRecord:
    """An organization."""

    id: UUID
    name: str
    display_name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A user as a member of an organization."""

    user_id: UUID
    organization_id: UUID
    role: Role
    created_at: datetime
    username: str
    name: str
    email: str | None
    status: str
    site_role: str


_COLUMNS = [organizations.c[name] for name in OrganizationRecord.__dataclass_fields__]


def _visible(caller: Caller) -> Select[*tuple[Any, ...]]:
    query = select(*_COLUMNS).order_by(organizations.c.name)
    if caller.site_role is SiteRole.OWNER:
        return query
    return query.where(organizations.c.id == any_(literal(caller.organization_ids, ARRAY(Uuid))))


async def list_organizations(
    engine: AsyncEngine, caller: Caller, *, limit: int, offset: int
) -> list[OrganizationRecord]:
    """The caller's organizations; for site owners all. By name."""
    async with reading(engine) as conn:
        found = await conn.execute(_visible(caller).limit(limit).offset(offset))
        return [OrganizationRecord(*row) for row in found]


async def find_organization(
    engine: AsyncEngine, caller: Caller, name: str | UUID
) -> OrganizationRecord | None:
    """An organization by id or by name; None if there is none that the caller may see."""
    which = organizations.c.id == name if isinstance(name, UUID) else organizations.c.name == name
    async with reading(engine) as conn:
        row = (await conn.execute(_visible(caller).where(which))).one_or_none()
    return None if row is None else OrganizationRecord(*row)


async def create_organization(
    engine: AsyncEngine, name: str, display_name: str, owner_id: UUID, change: Change | None = None
) -> OrganizationRecord:
    """Make an organization with its first owner.

    Raises:
        NameTaken: There is one of this name.
    """
    async with transaction(engine) as conn:
        try:
            made = await conn.execute(
                insert(organizations)
                .values(id=uuid4(), name=name, display_name=display_name)
                .returning(*_COLUMNS)
            )
        except IntegrityError:
            raise NameTaken from None
        record = OrganizationRecord(*made.one())
        await conn.execute(
            insert(memberships).values(user_id=owner_id, organization_id=record.id, role=Role.OWNER)
        )
        await write_change(conn, change, target_id=record.id, status=201)
        return record


async def edit_organization(
    engine: AsyncEngine, organization_id: UUID, fields: Mapping[str, Any], change: Change | None = None
) -> OrganizationRecord:
    """Change the name or the display name.

    Raises:
        NameTaken: There is another one of this name.
    """
    async with transaction(engine) as conn:
        try:
            edited = await conn.execute(
                update(organizations)
                .where(organizations.c.id == organization_id)
                .values(**fields, updated_at=func.now())
                .returning(*_COLUMNS)
            )
        except IntegrityError:
            raise NameTaken from None
        await write_change(conn, change)
        return OrganizationRecord(*edited.one())


def _select_members(organization_id: UUID) -> Select[*tuple[Any, ...]]:
    return (
        select(
            memberships.c.user_id,
            memberships.c.organization_id,
            memberships.c.role,
            memberships.c.created_at,
            users.c.username,
            users.c.name,
            users.c.email,
            users.c.status,
            users.c.site_role,
        )
        .join(users, users.c.id == memberships.c.user_id)
        .where(memberships.c.organization_id == organization_id)
    )


def _member(row: Any) -> MemberRecord:
    user_id, organization_id, role, *rest = row
    return MemberRecord(user_id, organization_id, Role(role), *rest)


async def list_members(
    engine: AsyncEngine, organization_id: UUID, *, text: str | None, limit: int, offset: int
) -> tuple[list[MemberRecord], int]:
    """A page of the members, by username, and how many there are in all."""
    query = _select_members(organization_id)
    if text:
        columns = (users.c.username, users.c.name, users.c.email)
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    async with reading(engine) as conn:
        count = await conn.scalar(select(func.count()).select_from(query.subquery()))
        page = query.order_by(users.c.username, users.c.id).limit(limit).offset(offset)
        return [_member(row) for row in await conn.execute(page)], count or 0


async def count_members(engine: AsyncEngine, organization_id: UUID) -> int:
    """How many are in an organization."""
    query = select(func.count()).where(memberships.c.organization_id == organization_id)
    async with reading(engine) as conn:
        return await conn.scalar(query) or 0


async def find_member(engine: AsyncEngine, organization_id: UUID, user_id: UUID) -> MemberRecord | None:
    """A member; None: the user is none."""
    async with reading(engine) as conn:
        found = await conn.execute(_select_members(organization_id).where(memberships.c.user_id == user_id))
        row = found.one_or_none()
    return None if row is None else _member(row)


async def put_member(
    engine: AsyncEngine, organization_id: UUID, user_id: UUID, role: Role, change: Change | None = None
) -> MemberRecord:
    """Make a user a member, or give a member another role.

    Raises:
        LastOwner: The organization would have no owner any more.
    """
    async with transaction(engine) as conn:
        if role is not Role.OWNER:
            await _keep_an_owner(conn, organization_id, user_id)
        await conn.execute(
            upsert(memberships)
            .values(user_id=user_id, organization_id=organization_id, role=role)
            .on_conflict_do_update(index_elements=["user_id", "organization_id"], set_={"role": role})
        )
        await write_change(conn, change)
        found = await conn.execute(_select_members(organization_id).where(memberships.c.user_id == user_id))
        return _member(found.one())


async def remove_member(
    engine: AsyncEngine, organization_id: UUID, user_id: UUID, change: Change | None = None
) -> None:
    """End a membership, and with it what was shared with the user there. Own chats stay, unseen.

    Raises:
        LastOwner: The organization would have no owner any more.
    """
    here = select(chats.c.id).where(chats.c.organization_id == organization_id)
    async with transaction(engine) as conn:
        await _keep_an_owner(conn, organization_id, user_id)
        await conn.execute(
            delete(memberships).where(
                memberships.c.organization_id == organization_id, memberships.c.user_id == user_id
            )
        )
        await conn.execute(
            delete(chat_user_readers).where(
                chat_user_readers.c.user_id == user_id, chat_user_readers.c.chat_id.in_(here)
            )
        )
        await write_change(conn, change, status=204)


async def _keep_an_owner(conn: AsyncConnection, organization_id: UUID, but: UUID) -> None:
    # locked, so that of two who leave at once the second sees that the first has gone
    owners = await conn.scalars(
        select(memberships.c.user_id)
        .where(memberships.c.organization_id == organization_id, memberships.c.role == Role.OWNER)
        .order_by(memberships.c.user_id)
        .with_for_update()
    )
    if set(owners) == {but}:
        raise LastOwner
