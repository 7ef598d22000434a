"""Whom chats and models are shared with. It is a chat's root that is shared, and its descendants with it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, any_, delete, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import Uuid

from models.store.audit import Change, write_change
from models.store.groups import GroupRecord, select_groups
from models.store.reading import reading, transaction
from models.store.tables import (
    chat_group_readers,
    chat_user_readers,
    groups,
    memberships,
    model_group_readers,
    model_user_readers,
    users,
)


@dataclass(frozen=True, slots=True)
class Shared:
    """A thing that is shared with users and groups of its organization: where that is written down.

    Attributes:
        key: The column in both tables that names the thing.
    """

    users: Table
    groups: Table
    key: str
    id: UUID
    organization_id: UUID


def shared_chat(root_chat_id: UUID, organization_id: UUID) -> Shared:
    """A chat, by its root."""
    return Shared(chat_user_readers, chat_group_readers, "chat_id", root_chat_id, organization_id)


def shared_model(model_config_id: UUID, organization_id: UUID) -> Shared:
    """A model that is not for everybody."""
    return Shared(
        model_user_readers, model_group_readers, "model_config_id", model_config_id, organization_id
    )


@dataclass(frozen=True, slots=True)
class ReaderRecord:
    """A user with whom something is shared."""

    id: UUID
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class Readers:
    """Everybody with whom something is shared."""

    users: list[ReaderRecord]
    groups: list[GroupRecord]


@dataclass(frozen=True, slots=True)
class ReadersEdit:
    """Whom to let read (True), and whom not any more (False). Who is not named stays as they are."""

    users: dict[UUID, bool]
    groups: dict[UUID, bool]


class UnknownPrincipals(Exception):
    """Nobody of the organization has these ids."""

    def __init__(self, users: list[UUID], groups: list[UUID]) -> None:
        super().__init__()
        self.users = users
        self.groups = groups


async def read_readers(engine: AsyncEngine, shared: Shared) -> Readers:
    """With whom something is shared, by name."""
    async with reading(engine) as conn:
        people = await conn.execute(
            select(users.c.id, users.c.username, users.c.name)
            .join(shared.users, shared.users.c.user_id == users.c.id)
            .where(shared.users.c[shared.key] == shared.id)
            .order_by(users.c.username)
        )
        bands = await conn.execute(
            select_groups()
            .join(shared.groups, shared.groups.c.group_id == groups.c.id)
            .where(shared.groups.c[shared.key] == shared.id)
            .order_by(groups.c.name)
        )
        return Readers([ReaderRecord(*row) for row in people], [GroupRecord(*row) for row in bands])


async def edit_readers(
    engine: AsyncEngine, shared: Shared, edit: ReadersEdit, change: Change | None = None
) -> None:
    """Share something, or stop sharing it: all of the edit or nothing.

    Raises:
        UnknownPrincipals: Somebody named is not of the organization.
    """
    async with transaction(engine) as conn:
        await apply_edit(conn, shared, edit)
        await write_change(conn, change, status=204)


async def apply_edit(conn: AsyncConnection, shared: Shared, edit: ReadersEdit) -> None:
    """The same, as part of a transaction."""
    await _refuse_strangers(conn, shared.organization_id, edit)
    await _apply(conn, shared.users, shared.key, "user_id", shared.id, edit.users)
    await _apply(conn, shared.groups, shared.key, "group_id", shared.id, edit.groups)


async def _refuse_strangers(conn: AsyncConnection, organization_id: UUID, edit: ReadersEdit) -> None:
    # whoever has left may still be taken off the list
    wanted_users = [user for user, reads in edit.users.items() if reads]
    wanted_groups = [group for group, reads in edit.groups.items() if reads]
    members = await conn.scalars(
        select(memberships.c.user_id).where(
            memberships.c.organization_id == organization_id,
            memberships.c.user_id == any_(_ids(wanted_users)),
        )
    )
    here = set(members)
    bands = await conn.scalars(
        select(groups.c.id).where(
            groups.c.organization_id == organization_id, groups.c.id == any_(_ids(wanted_groups))
        )
    )
    bands_here = set(bands)
    unknown = [user for user in wanted_users if user not in here]
    unknown_groups = [group for group in wanted_groups if group not in bands_here]
    if unknown or unknown_groups:
        raise UnknownPrincipals(unknown, unknown_groups)


async def _apply(
    conn: AsyncConnection, table: Table, key: str, column: str, shared_id: UUID, wanted: dict[UUID, bool]
) -> None:
    added = [{key: shared_id, column: principal} for principal, reads in wanted.items() if reads]
    removed = [principal for principal, reads in wanted.items() if not reads]
    if added:
        await conn.execute(upsert(table).values(added).on_conflict_do_nothing())
    if removed:
        await conn.execute(
            delete(table).where(table.c[key] == shared_id, table.c[column] == any_(_ids(removed)))
        )


def _ids(ids: Collection[UUID]) -> ColumnElement[Any]:
    return literal(list(ids), ARRAY(Uuid))
