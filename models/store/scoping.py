"""What a user may see of the chats: decided here, for every query there is."""

from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, and_, case, exists, func, null, or_, select

from models.permissions import CHATS, Access, ChatAction, Permission, SiteRole, Verdict, roles_with
from models.store.tables import (
    chat_group_readers,
    chat_user_readers,
    chats,
    group_members,
    memberships,
    users,
)

Who = UUID | ColumnElement[UUID]
"""A user's id, or the column of a query that holds one."""

FAMILY: ColumnElement[UUID] = func.coalesce(chats.c.root_chat_id, chats.c.id)
"""The root of a row's chat, or the chat itself: it is shared, and has a budget, for all below it."""


def access_to_chat(who: Who) -> ColumnElement[str | None]:
    """What a user is to the chat of a row, an `Access`; NULL: nothing, and the chat does not exist for them.

    Chats belong to an organization: who has left it sees none of its chats, own or shared. An auditor reads
    and changes nothing, own chats included.
    """
    role = _role(who)
    member = role.in_(roles_with(Permission.CREATE_CHATS))
    person = users.alias()  # queries that this goes into join their owners
    site_owner = exists().where(person.c.id == who, person.c.site_role == SiteRole.OWNER)
    return case(
        (and_(chats.c.owner_id == who, or_(member, site_owner)), Access.OWNER),
        (or_(role.in_(roles_with(Permission.UPDATE_ALL_CHATS)), site_owner), Access.ADMIN),
        (role.in_(roles_with(Permission.READ_ALL_CHATS)), Access.AUDITOR),
        (and_(role.is_not(None), is_shared_with(who)), Access.READER),
        else_=null(),
    )


def readable(who: Who) -> ColumnElement[bool]:
    """Whether a user may read the chat of a row."""
    return access_to_chat(who).is_not(None)


def updatable(who: Who) -> ColumnElement[bool]:
    """Whether a user may change the chat of a row."""
    allowed = [access for access, row in CHATS.items() if row[ChatAction.UPDATE] is Verdict.ALLOWED]
    return access_to_chat(who).in_(allowed)


def created_by(who: Who) -> ColumnElement[bool]:
    """Whether the chat of a row is a user's own. Cheaper than `readable`, for lists."""
    return and_(chats.c.owner_id == who, _role(who).is_not(None))


def shared_with(who: Who) -> ColumnElement[bool]:
    """Whether the chat of a row is somebody else's who shares it with a user."""
    return and_(chats.c.owner_id != who, _role(who).is_not(None), is_shared_with(who))


def is_shared() -> ColumnElement[bool]:
    """Whether the chat of a row is shared with anybody."""
    return or_(
        exists().where(chat_user_readers.c.chat_id == FAMILY),
        exists().where(chat_group_readers.c.chat_id == FAMILY),
    )


def is_shared_with(who: Who) -> ColumnElement[bool]:
    """Whether the family of a row's chat is shared with a user, or with a group they are in."""
    by_group = (
        select(chat_group_readers.c.chat_id)
        .join(group_members, group_members.c.group_id == chat_group_readers.c.group_id)
        .where(chat_group_readers.c.chat_id == FAMILY, group_members.c.user_id == who)
    )
    return or_(
        exists().where(chat_user_readers.c.chat_id == FAMILY, chat_user_readers.c.user_id == who),
        by_group.exists(),
    )


def _role(who: Who) -> ScalarSelect[str]:
    return (
        select(memberships.c.role)
        .where(memberships.c.user_id == who, memberships.c.organization_id == chats.c.organization_id)
        .scalar_subquery()
    )
