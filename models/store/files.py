"""Files: who may use them, which chat they belong to, and how they go."""

import hashlib
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Uuid,
    and_,
    any_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.reading import reading, transaction
from models.store.scoping import readable
from models.store.tables import chats, files, memberships, users


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of a file that can be used."""

    id: UUID
    organization_id: UUID
    owner_id: UUID
    chat_id: UUID | None
    name: str
    mime_type: str
    size_bytes: int
    sha256: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file about to be stored, whoever brings it."""

    name: str
    mime_type: str
    size_bytes: int
    sha256: bytes

    @classmethod
    def of(cls, name: str, mime_type: str, data: bytes) -> "NewFile":
        """What is known of these bytes. Takes its time: call it beside the event loop."""
        return cls(name, mime_type, len(data), hashlib.sha256(data).digest())


_COLUMNS = tuple(files.c[name] for name in FileRecord.__dataclass_fields__)


def _seen_by(user_id: UUID) -> ColumnElement[bool]:
    """A user sees their own files, and those of chats they may read."""
    active = exists().where(users.c.id == user_id, users.c.status == "active")
    belongs = exists().where(
        memberships.c.user_id == user_id, memberships.c.organization_id == files.c.organization_id
    )
    in_chat = files.c.chat_id.in_(select(chats.c.id).where(readable(user_id)))
    own = and_(files.c.owner_id == user_id, belongs)
    return and_(files.c.state == "ready", active, or_(own, in_chat))


def _among(ids: Collection[UUID]) -> ColumnElement[bool]:
    return files.c.id == any_(literal(list(ids), ARRAY(Uuid)))


@asynccontextmanager
async def arriving(
    engine: AsyncEngine, organization_id: UUID, owner_id: UUID, new: NewFile
) -> AsyncGenerator[UUID]:
    """The row of a file, while the block stores its bytes. It can be used once the block has ended well;
    if it does not, or the process dies in it, the sweeper deletes what there is.

    Yields:
        The file's id, which is the key of its bytes.
    """
    file_id = uuid4()
    async with reading(engine) as conn:
        await conn.execute(
            insert(files).values(
                id=file_id, organization_id=organization_id, owner_id=owner_id, **asdict(new)
            )
        )
    yield file_id
    async with reading(engine) as conn:
        await conn.execute(update(files).where(files.c.id == file_id).values(state="ready"))


async def announce_for_chat(engine: AsyncEngine, chat_id: UUID, file_id: UUID, new: NewFile) -> None:
    """The row of a file that a tool is about to give to a chat, before its bytes are stored. It is the
    chat's owner's, and stays `arriving` until the result of the tool is recorded
    (`models.store.file_links.adopt_files`); if it never is, the sweeper deletes what there is."""
    known = asdict(new)
    row = select(
        literal(file_id), chats.c.organization_id, chats.c.owner_id, *(literal(one) for one in known.values())
    ).where(chats.c.id == chat_id)
    columns = ("id", "organization_id", "owner_id", *known)
    async with reading(engine) as conn:
        await conn.execute(upsert(files).from_select(columns, row).on_conflict_do_nothing())


async def find_file(engine: AsyncEngine, user_id: UUID, file_id: UUID) -> FileRecord | None:
    """One file; None if the user may use none with this id."""
    return (await find_files(engine, user_id, [file_id])).get(file_id)


async def find_files(engine: AsyncEngine, user_id: UUID, ids: Collection[UUID]) -> dict[UUID, FileRecord]:
    """Those of these files that the user may use."""
    async with reading(engine) as conn:
        result = await conn.execute(select(*_COLUMNS).where(_seen_by(user_id), _among(ids)))
        return {row.id: FileRecord(*row) for row in result}


async def files_of_chat(engine: AsyncEngine, chat_id: UUID) -> list[FileRecord]:
    """The files of a chat that the caller was found to see, the one linked last first."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(*_COLUMNS)
            .where(files.c.chat_id == chat_id, files.c.state == "ready")
            .order_by(files.c.linked_at.desc(), files.c.id.desc())
        )
        return [FileRecord(*row) for row in result]


async def media_types(engine: AsyncEngine, chat_id: UUID, ids: Collection[UUID]) -> dict[UUID, str]:
    """Media types of those of these files that the chat still has, for its own turns."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(files.c.id, files.c.mime_type).where(
                files.c.chat_id == chat_id, files.c.state == "ready", _among(ids)
            )
        )
        return {row.id: row.mime_type for row in result}


async def give_up(
    engine: AsyncEngine, *, arriving_seconds: float, unused_seconds: float, limit: int
) -> list[UUID]:
    """Let go of files that never arrived whole, and of those that no message has named for long.

    Returns:
        Gone files whose bytes are to be deleted; tell `purged` when they are. At most `limit`.
    """

    def older(seconds: float) -> ColumnElement[bool]:
        return files.c.created_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)

    async with transaction(engine) as conn:
        await conn.execute(
            update(files)
            .where(
                ~files.c.purged,
                or_(
                    and_(files.c.state == "arriving", older(arriving_seconds)),
                    and_(files.c.state == "ready", files.c.chat_id.is_(None), older(unused_seconds)),
                ),
            )
            .values(state="gone")
        )
        result = await conn.execute(
            select(files.c.id)
            .where(files.c.state == "gone", ~files.c.purged)
            .order_by(files.c.created_at)
            .limit(limit)
        )
        return list(result.scalars())


async def note_purged(engine: AsyncEngine, ids: Sequence[UUID]) -> None:
    """Remember that the bytes of these files are deleted. Those without a chat are forgotten altogether: no
    message can name them."""
    gone = and_(_among(ids), files.c.state == "gone")
    nameless = delete(files).where(gone, files.c.chat_id.is_(None)).cte("nameless")
    named = update(files).where(gone, files.c.chat_id.is_not(None)).values(purged=True)
    async with reading(engine) as conn:
        await conn.execute(named.add_cte(nameless))
