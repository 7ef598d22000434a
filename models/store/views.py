"""What a stream shows of a chat's rows, from some version on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, and_, exists, false, func, null, or_, select, true
from sqlalchemy.ext.asyncio import AsyncEngine

from models.chat_state import Awaited, ChatState, ChatStatus, ToolCallRef
from models.store.messages import MESSAGE_COLUMNS, PUBLIC, MessageRecord, QueuedRecord, read_queue
from models.store.reading import reading
from models.store.tables import chats, messages

_CHAT_COLUMNS = (
    chats.c.status,
    chats.c.snapshot_version,
    chats.c.history_version,
    chats.c.queue_version,
    chats.c.retry_state_version,
    chats.c.generation_attempt,
    chats.c.last_error,
    chats.c.retry_state,
)


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call that waits for its client's result or a person's approval. `args`: as the model wrote them."""

    call: ToolCallRef
    awaits: Awaited
    args: Any


@dataclass(frozen=True, slots=True)
class ChatView:
    """A chat at `snapshot_version`: its counters, and the rows that were asked for.

    `last_message_id` is the highest id of all visible messages, 0 if there is none. `messages` pairs each
    row with its revision. `queue` is None where the queue version is the one the reader knows.
    `pending_calls` wait for somebody outside. `cursor_revision` is that of the message `after_id`, None where
    it is no message of the chat.

    `cut` and `cursor_cut`: an edit has deleted messages that somebody who knew the history version asked for,
    or somebody with the cursor asked for, has; `messages` are all there are then.
    """

    status: ChatStatus
    snapshot_version: int
    history_version: int
    queue_version: int
    retry_state_version: int
    generation_attempt: int
    last_error: dict[str, Any] | None
    retry_state: dict[str, Any] | None
    last_message_id: int
    messages: list[tuple[int, MessageRecord]]
    queue: list[QueuedRecord] | None
    pending_calls: list[PendingCall] = field(default_factory=list["PendingCall"])
    cursor_revision: int | None = None
    cut: bool = False
    cursor_cut: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What somebody knows who asks for a view.

    Attributes:
        history_version: messages of later revisions are read; 0: nothing is known.
        queue_version: the queue is read if it has changed since.
        after_id: messages of higher ids are read, too, whatever their revision.
    """

    history_version: int
    queue_version: int
    after_id: int | None = None


async def read_view(engine: AsyncEngine, chat_id: UUID, known: Known) -> ChatView | None:
    """Read a chat in one statement, so that counters and messages belong together; with all its messages in
    a second one where an edit has cut off some that are known.

    The queue, read where it changed, may be newer than the counters; its next change brings it again.
    """
    view = await _read(engine, chat_id, known, everything=False)
    if view is None or not (view.cut or view.cursor_cut):
        return view
    whole = await _read(engine, chat_id, known, everything=True)
    if whole is None:
        return None
    return replace(whole, cut=whole.cut or view.cut, cursor_cut=whole.cursor_cut or view.cursor_cut)


async def _read(engine: AsyncEngine, chat_id: UUID, known: Known, *, everything: bool) -> ChatView | None:
    joined = chats.outerjoin(
        messages, and_(messages.c.chat_id == chats.c.id, true() if everything else _wanted(known), *PUBLIC)
    )
    newest = select(func.coalesce(func.max(messages.c.id), 0)).where(messages.c.chat_id == chat_id, *PUBLIC)
    columns = (*_CHAT_COLUMNS, newest.scalar_subquery().label("last_message_id"))
    aside = (chats.c.turn, chats.c.step, chats.c.open_calls, *_cuts(known))
    query = (
        select(*columns, *aside, messages.c.revision, *MESSAGE_COLUMNS)
        .select_from(joined)
        .where(chats.c.id == chat_id)
        .order_by(messages.c.id)
    )
    async with reading(engine) as conn:
        rows = (await conn.execute(query)).all()
    if not rows:
        return None
    status, *counters_and_payloads = rows[0][: len(columns)]
    turn, step, open_calls, cursor_revision, cut, cursor_cut = rows[0][len(columns) :][: len(aside)]
    found = [row[len(columns) + len(aside) :] for row in rows]
    changed = rows[0].queue_version > known.queue_version
    return ChatView(
        ChatStatus(status),
        *counters_and_payloads,
        messages=[(revision, MessageRecord(*rest)) for revision, *rest in found if revision is not None],
        queue=await read_queue(engine, chat_id) if changed else None,
        pending_calls=await _pending(
            engine, chat_id, turn, step, [ToolCallRef(**call) for call in open_calls]
        )
        if status == ChatStatus.REQUIRES_ACTION
        else [],
        cursor_revision=cursor_revision,
        cut=cut,
        cursor_cut=cursor_cut,
    )


_OF_CLIENTS = messages.alias("of_clients")
_SHOWN = (_OF_CLIENTS.c.chat_id == chats.c.id, _OF_CLIENTS.c.visibility != "model")
"""Messages that clients may know, deleted or not."""


def _cursor_revision(after_id: int) -> ScalarSelect[int]:
    return (
        select(_OF_CLIENTS.c.revision)
        .where(*_SHOWN, _OF_CLIENTS.c.id == after_id)
        .correlate(chats)
        .scalar_subquery()
    )


def _wanted(known: Known) -> ColumnElement[bool]:
    changed = messages.c.revision > known.history_version
    if known.after_id is None:
        return changed
    later = messages.c.revision > _cursor_revision(known.after_id)
    return or_(changed, messages.c.id > known.after_id, later)


def _cuts(known: Known) -> tuple[ColumnElement[Any], ...]:
    """Revision of the cursor, whether anything known was deleted, whether the cursor or anything before it
    was deleted after it was told (spec api.md 6.3)."""
    deleted = exists().where(*_SHOWN, _OF_CLIENTS.c.deleted).correlate(chats)
    cut: ColumnElement[bool] = false()
    if known.history_version > 0:
        cut = deleted.where(_OF_CLIENTS.c.revision > known.history_version)
    if known.after_id is None:
        return null(), cut, false()
    cursor = _cursor_revision(known.after_id)
    earlier = and_(_OF_CLIENTS.c.id < known.after_id, _OF_CLIENTS.c.revision > cursor)
    return cursor, cut, deleted.where(or_(_OF_CLIENTS.c.id == known.after_id, earlier))


async def read_pending(engine: AsyncEngine, chat_id: UUID, state: ChatState) -> list[PendingCall]:
    """The calls for which a chat in this state waits; none if it waits for nobody."""
    if state.status is not ChatStatus.REQUIRES_ACTION:
        return []
    return await _pending(engine, chat_id, state.turn, state.step, state.open_calls)


async def _pending(
    engine: AsyncEngine, chat_id: UUID, turn: int, step: int, calls: Sequence[ToolCallRef]
) -> list[PendingCall]:
    query = select(messages.c.content).where(
        messages.c.chat_id == chat_id,
        messages.c.turn == turn,
        messages.c.step == step,
        messages.c.role == "assistant",
        messages.c.deleted.is_(False),
    )
    async with reading(engine) as conn:
        content: list[dict[str, Any]] = (await conn.execute(query)).scalar_one_or_none() or []
    args = {part["tool_call_id"]: part.get("args") for part in content if part["type"] == "tool-call"}
    return [PendingCall(call, call.awaits, args.get(call.id)) for call in calls if call.awaits is not None]
