"""A user's inbox. Every query is for one user, and sees nothing of anybody else's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.store.reading import reading
from models.store.tables import inbox_notifications as inbox

PAGE_SIZE = 25


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification. `chat_id` is what it is about."""

    id: UUID
    user_id: UUID
    chat_id: UUID
    turn: int
    template_id: UUID
    title: str
    content: str
    read_at: datetime | None
    created_at: datetime


class ReadStatus(StrEnum):
    ALL = "all"
    READ = "read"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """Which notifications: about all of `targets`, of one of `templates`. Empty: whichever."""

    targets: Sequence[UUID] = field(default_factory=tuple[UUID, ...])
    templates: Sequence[UUID] = field(default_factory=tuple[UUID, ...])
    read_status: ReadStatus = ReadStatus.ALL

    def admits(self, notification: Notification) -> bool:
        read = ReadStatus.UNREAD if notification.read_at is None else ReadStatus.READ
        return (
            set(self.targets) <= {notification.chat_id}
            and (not self.templates or notification.template_id in self.templates)
            and self.read_status in (ReadStatus.ALL, read)
        )


_COLUMNS = (
    inbox.c.id,
    inbox.c.user_id,
    inbox.c.chat_id,
    inbox.c.turn,
    inbox.c.template_id,
    inbox.c.title,
    inbox.c.content,
    inbox.c.read_at,
    inbox.c.created_at,
)


async def list_notifications(
    engine: AsyncEngine, user_id: UUID, wanted: InboxFilter, *, starting_before: UUID | None
) -> list[Notification]:
    """A page of the user's notifications, newest first.

    Args:
        starting_before: a notification; those older than it follow. An unknown one is ignored.
    """
    query = (
        select(*_COLUMNS)
        .where(inbox.c.user_id == user_id)
        .order_by(inbox.c.created_at.desc(), inbox.c.id.desc())
        .limit(PAGE_SIZE)
    )
    if wanted.targets:
        query = query.where(*(inbox.c.chat_id == target for target in set(wanted.targets)))
    if wanted.templates:
        query = query.where(inbox.c.template_id.in_(wanted.templates))
    match wanted.read_status:
        case ReadStatus.ALL:
            pass
        case ReadStatus.READ:
            query = query.where(inbox.c.read_at.is_not(None))
        case ReadStatus.UNREAD:
            query = query.where(inbox.c.read_at.is_(None))
    async with reading(engine) as conn:
        if starting_before is not None:
            found = await conn.execute(
                select(inbox.c.created_at).where(inbox.c.user_id == user_id, inbox.c.id == starting_before)
            )
            created_at = found.scalar_one_or_none()
            if created_at is not None:
                place = tuple_(inbox.c.created_at, inbox.c.id)
                query = query.where(place < tuple_(created_at, starting_before))
        return [Notification(*row) for row in await conn.execute(query)]


async def count_unread(engine: AsyncEngine, user_id: UUID) -> int:
    """How many notifications the user has not read."""
    async with reading(engine) as conn:
        return await _unread(conn, user_id)


async def _unread(conn: AsyncConnection, user_id: UUID) -> int:
    query = select(func.count()).where(inbox.c.user_id == user_id, inbox.c.read_at.is_(None))
    return (await conn.execute(query)).scalar_one()


async def mark(
    engine: AsyncEngine, user_id: UUID, notification_id: UUID, *, is_read: bool
) -> Notification | None:
    """Mark one notification; None if the user has no such one. The time of the first reading stays."""
    read_at = func.coalesce(inbox.c.read_at, func.now()) if is_read else None
    async with reading(engine) as conn:
        result = await conn.execute(
            update(inbox)
            .where(inbox.c.user_id == user_id, inbox.c.id == notification_id)
            .values(read_at=read_at)
            .returning(*_COLUMNS)
        )
        row = result.one_or_none()
    return None if row is None else Notification(*row)


async def mark_all_read(engine: AsyncEngine, user_id: UUID) -> None:
    """Mark all notifications of a user as read."""
    async with reading(engine) as conn:
        await conn.execute(
            update(inbox)
            .where(inbox.c.user_id == user_id, inbox.c.read_at.is_(None))
            .values(read_at=func.now())
        )


async def read_of_turns(
    engine: AsyncEngine, user_id: UUID, turns: Sequence[tuple[UUID, int]]
) -> list[Notification]:
    """What these turns (chat and number) have left in the user's inbox, oldest first."""
    query = (
        select(*_COLUMNS)
        .where(inbox.c.user_id == user_id, tuple_(inbox.c.chat_id, inbox.c.turn).in_(turns))
        .order_by(inbox.c.created_at, inbox.c.id)
    )
    async with reading(engine) as conn:
        return [Notification(*row) for row in await conn.execute(query)]
