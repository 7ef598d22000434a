"""The list of a person's chats: which, in what order, with their children.

A page costs a fixed number of statements, however many chats and children are on it: one for the roots, one
for all their children, and one to find the chat that a page resumes after.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CompoundSelect,
    Uuid,
    and_,
    any_,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    union,
)
from sqlalchemy.dialects.postgresql import REGCONFIG
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.store.accounts import Caller
from models.store.chats import CHATS, ChatRecord, record_of
from models.store.messages import ANSWERS
from models.store.reading import reading
from models.store.scoping import created_by, readable, shared_with
from models.store.tables import chats, messages
from models.tables.searching import SEARCHED, WORDS


class Source(StrEnum):
    """Whose chats to list."""

    CREATED_BY_ME = "created_by_me"
    SHARED_WITH_ME = "shared_with_me"


@dataclass(frozen=True, slots=True)
class ChatFilter:
    """Which chats to list; all that is set must match.

    `title` is a substring, `labels` are pairs of key and value, `words` must all be in the title or in one
    message. `of_repository`: only chats with what no chat has in this version, a branch or a pull request.
    """

    archived: bool = False
    title: str | None = None
    has_unread: bool | None = None
    sources: frozenset[Source] = frozenset({Source.CREATED_BY_ME})
    words: str | None = None
    of_repository: bool = False
    labels: Sequence[tuple[str, str]] = field(default_factory=tuple[tuple[str, str], ...])


MAX_CHILDREN = 100
"""So many children are shown of a root, the newest; the others are read by their ids."""


@dataclass(frozen=True, slots=True)
class ListedChat:
    """A chat with what lists show beside it. `children` are the newest of a root, newest first."""

    chat: ChatRecord
    has_unread: bool
    children: "Sequence[ListedChat]" = ()


# pinned chats first, as index `chats_listed` has them
_PIN = func.nullif(chats.c.pin_order, 0)
_ORDER = (_PIN, chats.c.updated_at.desc(), chats.c.id.desc())

_HAS_UNREAD = (
    select(messages.c.id)
    .where(
        messages.c.chat_id == chats.c.id,
        messages.c.id > func.coalesce(chats.c.last_read_message_id, 0),
        *ANSWERS,
    )
    .correlate(chats)
    .exists()
)

_CHATS = CHATS.add_columns(_HAS_UNREAD.label("has_unread"))


async def list_chats(
    engine: AsyncEngine,
    caller: Caller,
    wanted: ChatFilter,
    *,
    after_id: UUID | None,
    limit: int,
    offset: int,
) -> list[ListedChat] | None:
    """The caller's root chats with their children: pinned ones in the order of the pins, then the others,
    last changed first (spec api.md 4.2).

    Args:
        after_id: Resume strictly after this chat of the caller's.

    Returns:
        The page; None if there is no chat `after_id`.
    """
    query = (
        _CHATS.where(chats.c.parent_chat_id.is_(None), *_conditions(caller, wanted))
        .order_by(*_ORDER)
        .limit(limit)
        .offset(offset)
    )
    async with reading(engine) as conn:
        if after_id is not None:
            after = await _behind(conn, caller, after_id)
            if after is None:
                return None
            query = query.where(after)
        rows = (await conn.execute(query)).mappings().all()
        children = await _children(
            conn, _from(caller, wanted.sources), [row["id"] for row in rows], archived=wanted.archived
        )
    return [ListedChat(record_of(row), row["has_unread"], children[row["id"]]) for row in rows]


async def read_children(engine: AsyncEngine, caller: Caller, root: ChatRecord) -> Sequence[ListedChat]:
    """The children of a root that are archived if it is, newest first."""
    async with reading(engine) as conn:
        found = await _children(conn, readable(caller.user_id), [root.id], archived=root.state.archived)
    return found[root.id]


async def _children(
    conn: AsyncConnection, whose: ColumnElement[bool], roots: Sequence[UUID], *, archived: bool
) -> defaultdict[UUID, list[ListedChat]]:
    found: defaultdict[UUID, list[ListedChat]] = defaultdict(list)
    if not roots:
        return found
    newest = (chats.c.created_at.desc(), chats.c.id.desc())
    ranked = (
        select(
            chats.c.id, func.row_number().over(partition_by=chats.c.root_chat_id, order_by=newest).label("n")
        )
        .where(
            whose,
            chats.c.root_chat_id == any_(literal(list(roots), ARRAY(Uuid))),
            chats.c.archived.is_(archived),
        )
        .subquery()
    )
    shown = select(ranked.c.id).where(ranked.c.n <= MAX_CHILDREN)
    query = _CHATS.where(chats.c.id.in_(shown)).order_by(*newest)
    for row in (await conn.execute(query)).mappings():
        found[row["root_chat_id"]].append(ListedChat(record_of(row), row["has_unread"]))
    return found


def _conditions(caller: Caller, wanted: ChatFilter) -> list[ColumnElement[bool]]:
    conditions = [_from(caller, wanted.sources), chats.c.archived.is_(wanted.archived)]
    if wanted.title is not None:
        conditions.append(chats.c.title.icontains(wanted.title, autoescape=True))
    if wanted.has_unread is not None:
        conditions.append(_HAS_UNREAD if wanted.has_unread else ~_HAS_UNREAD)
    if wanted.words is not None:
        conditions.append(chats.c.id.in_(_with_words(_from(caller, wanted.sources), wanted.words)))
    if wanted.of_repository:
        conditions.append(false())
    conditions += [chats.c.labels.contains({key: value}) for key, value in wanted.labels]
    return conditions


def _from(caller: Caller, sources: frozenset[Source]) -> ColumnElement[bool]:
    found = {Source.CREATED_BY_ME: created_by, Source.SHARED_WITH_ME: shared_with}
    return or_(*(found[source](caller.user_id) for source in sorted(sources)))


def _with_words(whose: ColumnElement[bool], words: str) -> CompoundSelect[UUID]:
    """Ids of chats with all these words in their title, or in one message. Without a word in it, such a
    search finds nothing."""
    config = literal_column("'simple'", REGCONFIG)
    query = func.plainto_tsquery(config, words)
    titled = select(chats.c.id).where(whose, func.to_tsvector(config, chats.c.title).bool_op("@@")(query))
    # only messages are in the inner query, so that the texts need no name of a table
    matches = literal_column(WORDS).bool_op("@@")(query)
    said = select(messages.c.chat_id).where(text(SEARCHED), matches)
    return union(titled, select(chats.c.id).where(whose, chats.c.id.in_(said)))


async def _behind(conn: AsyncConnection, caller: Caller, after_id: UUID) -> ColumnElement[bool] | None:
    """The condition of standing behind a chat in the list; None if the caller cannot see it."""
    found = await conn.execute(
        select(chats.c.pin_order, chats.c.updated_at).where(readable(caller.user_id), chats.c.id == after_id)
    )
    row = found.one_or_none()
    if row is None:
        return None
    later: ColumnElement[Any] = tuple_(chats.c.updated_at, chats.c.id) < tuple_(row.updated_at, after_id)
    if not row.pin_order:
        return and_(_PIN.is_(None), later)
    return or_(row.pin_order < _PIN, and_(row.pin_order == _PIN, later), _PIN.is_(None))
