"""What a stream shows of a chat's rows, from some version on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.chat_state import ChatState, ChatStatus, ToolCallRef
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
    args: Any


@dataclass(frozen=True, slots=True)
class ChatView:
    """A chat at `snapshot_version`: its counters, and the rows that were asked for.

    `last_message_id` is the highest id of all visible messages, 0 if there is none. `messages` pairs each
    row with its revision. `queue` is None where the queue version is the one the reader knows.
    `pending_calls` wait for somebody outside.
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


async def read_view(
    engine: AsyncEngine,
    chat_id: UUID,
    *,
    since_revision: int,
    queue_version: int,
    after_id: int | None = None,
) -> ChatView | None:
    """Read a chat in one statement, so that counters and messages belong together.

    The queue, read where it changed, may be newer than the counters; its next change brings it again.

    Args:
        since_revision: History version the reader knows; messages of later revisions are read.
        queue_version: Queue version the reader knows.
        after_id: Read messages of higher ids, too, whatever their revision.
    """
    wanted = messages.c.revision > since_revision
    if after_id is not None:
        wanted = or_(wanted, messages.c.id > after_id)
    joined = chats.outerjoin(messages, and_(messages.c.chat_id == chats.c.id, wanted, *PUBLIC))
    newest = select(func.coalesce(func.max(messages.c.id), 0)).where(messages.c.chat_id == chat_id, *PUBLIC)
    columns = (*_CHAT_COLUMNS, newest.scalar_subquery().label("last_message_id"))
    where_it_stands = (chats.c.turn, chats.c.step, chats.c.open_calls)
    query = (
        select(*columns, *where_it_stands, messages.c.revision, *MESSAGE_COLUMNS)
        .select_from(joined)
        .where(chats.c.id == chat_id)
        .order_by(messages.c.id)
    )
    async with reading(engine) as conn:
        rows = (await conn.execute(query)).all()
    if not rows:
        return None
    status, *counters_and_payloads = rows[0][: len(columns)]
    turn, step, open_calls = rows[0][len(columns) : len(columns) + len(where_it_stands)]
    found = [row[len(columns) + len(where_it_stands) :] for row in rows]
    changed = rows[0].queue_version > queue_version
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
    )


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
    return [PendingCall(call, args.get(call.id)) for call in calls]
