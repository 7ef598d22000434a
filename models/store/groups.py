"""Groups of an organization's members."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, any_, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import Uuid

from models.permissions import SiteRole
from models.store.accounts import Caller
from models.store.audit import Change, write_change
from models.store.reading import reading, transaction
from models.store.tables import group_members, groups, memberships, users
from models.store.users import NameTaken

MAX_MEMBERS_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """A group and how many are in it."""

    id: UUID
    organization_id: UUID
    name: str
    display_name: str
    created_at: datetime
    member_count: int


@dataclass(frozen=True, slots=True)
class GroupMemberRecord:
    """A user in a group."""

    id: UUID
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class GroupEdit:
    """What to change. Users that are no members of the organization cannot be added."""

    fields: Mapping[str, Any]
    add: Collection[UUID] = ()
    remove: Collection[UUID] = ()


class NotMembers(Exception):
    """Some users are no members of the organization. `user_ids`: which."""

    def __init__(self, user_ids: list[UUID]) -> None:
        super().__init__()
        self.user_ids = user_ids


_COUNT = select(func.count()).where(group_members.c.group_id == groups.c.id).scalar_subquery()


def select_groups() -> Select[*tuple[Any, ...]]:
    """The columns of a `GroupRecord`."""
    return select(
        groups.c.id,
        groups.c.organization_id,
        groups.c.name,
        groups.c.display_name,
        groups.c.created_at,
        _COUNT.label("member_count"),
    )


async def list_groups(
    engine: AsyncEngine, organization_id: UUID, *, limit: int, offset: int
) -> list[GroupRecord]:
    """The groups of an organization, by name."""
    query = select_groups().where(groups.c.organization_id == organization_id).order_by(groups.c.name)
    async with reading(engine) as conn:
        return [GroupRecord(*row) for row in await conn.execute(query.limit(limit).offset(offset))]


async def find_group(engine: AsyncEngine, caller: Caller, group_id: UUID) -> GroupRecord | None:
    """A group; None if there is none in the caller's organizations."""
    query = select_groups().where(groups.c.id == group_id)
    if caller.site_role is not SiteRole.OWNER:
        query = query.where(groups.c.organization_id == any_(literal(caller.organization_ids, ARRAY(Uuid))))
    async with reading(engine) as conn:
        row = (await conn.execute(query)).one_or_none()
    return None if row is None else GroupRecord(*row)


async def list_group_members(engine: AsyncEngine, group_id: UUID) -> list[GroupMemberRecord]:
    """Who is in a group, by username; of very large groups the first thousand."""
    async with reading(engine) as conn:
        found = await conn.execute(
            select(users.c.id, users.c.username, users.c.name)
            .join(group_members, group_members.c.user_id == users.c.id)
            .where(group_members.c.group_id == group_id)
            .order_by(users.c.username)
            .limit(MAX_MEMBERS_SHOWN)
        )
        return [GroupMemberRecord(*row) for row in found]


async def create_group(
    engine: AsyncEngine, organization_id: UUID, name: str, display_name: str, change: Change | None = None
) -> GroupRecord:
    """Make a group without members.

    Raises:
        NameTaken: The organization has one of this name.
    """
    group_id = uuid4()
    async with transaction(engine) as conn:
        try:
            await conn.execute(
                insert(groups).values(
                    id=group_id, organization_id=organization_id, name=name, display_name=display_name
                )
            )
        except IntegrityError:
            raise NameTaken from None
        await write_change(conn, change, target_id=group_id, status=201)
        return await _read(conn, group_id)


async def edit_group(
    engine: AsyncEngine, group: GroupRecord, edit: GroupEdit, change: Change | None = None
) -> GroupRecord:
    """Change a group and who is in it, all of it or nothing.

    Raises:
        NameTaken: The organization has another one of this name.
        NotMembers: Who is to be added is no member of the organization.
    """
    async with transaction(engine) as conn:
        if edit.fields:
            try:
                await conn.execute(update(groups).where(groups.c.id == group.id).values(**edit.fields))
            except IntegrityError:
                raise NameTaken from None
        if edit.add:
            await _add(conn, group, edit.add)
        if edit.remove:
            await conn.execute(
                delete(group_members).where(
                    group_members.c.group_id == group.id,
                    group_members.c.user_id == any_(literal(list(edit.remove), ARRAY(Uuid))),
                )
            )
        await write_change(conn, change)
        return await _read(conn, group.id)


async def _add(conn: AsyncConnection, group: GroupRecord, user_ids: Collection[UUID]) -> None:
    wanted = literal(list(user_ids), ARRAY(Uuid))
    found = await conn.scalars(
        select(memberships.c.user_id)
        .where(memberships.c.organization_id == group.organization_id, memberships.c.user_id == any_(wanted))
        .with_for_update(read=True)  # a membership that ends meanwhile would fail the insert
    )
    members = set(found)
    strangers = [user_id for user_id in user_ids if user_id not in members]
    if strangers:
        raise NotMembers(strangers)
    rows = [
        {"group_id": group.id, "user_id": user_id, "organization_id": group.organization_id}
        for user_id in members
    ]
    await conn.execute(upsert(group_members).values(rows).on_conflict_do_nothing())


async def delete_group(engine: AsyncEngine, group_id: UUID, change: Change | None = None) -> None:
    """Forget a group, and with it what was shared with it."""
    async with transaction(engine) as conn:
        await conn.execute(delete(groups).where(groups.c.id == group_id))
        await write_change(conn, change, status=204)


async def _read(conn: AsyncConnection, group_id: UUID) -> GroupRecord:
    return GroupRecord(*(await conn.execute(select_groups().where(groups.c.id == group_id))).one())
