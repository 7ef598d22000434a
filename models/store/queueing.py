"""The queue of a chat: messages that wait for the running turn, moved under the lock of its bundle.

Order is `position`, then id. New messages come with position 0; the head that somebody chose gets a lower one
than all others, so that nothing else has to move (spec state-machine.md section 3).
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Delete, delete, func, insert, select, update

from models.parts import CONTENT_VERSION
from models.store.bundle import Bundle, UserMessage
from models.store.tables import queued_messages

QUEUE_LIMIT = 20
"""Messages that may wait in one chat."""

QUEUE_ORDER = (queued_messages.c.position, queued_messages.c.id)

_HEAD = select(queued_messages.c.id).order_by(*QUEUE_ORDER).limit(1)


async def enqueue(bundle: Bundle, message: UserMessage, *, steers: bool) -> int:
    """Append a message.

    Returns:
        The id of its row.
    """
    result = await bundle.conn.execute(
        insert(queued_messages)
        .values(
            chat_id=bundle.chat_id,
            content=message.parts,
            content_version=CONTENT_VERSION,
            created_by=message.created_by,
            model_config_id=message.model_config_id,
            reasoning_effort=message.reasoning_effort,
            steers=steers,
        )
        .returning(queued_messages.c.id)
    )
    _recount(bundle, bundle.queued + 1, _steering(bundle) + steers)
    return result.scalar_one()


async def wanted_model(bundle: Bundle, queued_id: int | None) -> UUID | None:
    """The model that a waiting message asks for: this one, or the head; None if there is none."""
    query = select(queued_messages.c.model_config_id).where(queued_messages.c.chat_id == bundle.chat_id)
    if queued_id is not None:
        query = query.where(queued_messages.c.id == queued_id)
    return await bundle.conn.scalar(query.order_by(*QUEUE_ORDER).limit(1))


async def raise_to_head(bundle: Bundle, queued_id: int) -> None:
    """Put a waiting message before all others."""
    others = queued_messages.alias()
    first = select(func.min(others.c.position)).where(others.c.chat_id == bundle.chat_id).scalar_subquery()
    await bundle.conn.execute(
        update(queued_messages).where(queued_messages.c.id == queued_id).values(position=first - 1)
    )
    bundle.set(queue_version=bundle.version)


async def promote_head(bundle: Bundle, turn: int, model_config_id: UUID) -> None:
    """Move the head into history, where it starts a turn that this model answers."""
    head = _HEAD.where(queued_messages.c.chat_id == bundle.chat_id).scalar_subquery()
    (row,) = await _take(bundle, delete(queued_messages).where(queued_messages.c.id == head))
    message = UserMessage(row.content, row.created_by, model_config_id, row.reasoning_effort)
    bundle.enter_user_message(message, turn=turn)


async def place_steering(bundle: Bundle) -> None:
    """Move the messages that steer into history, in their order, within the running turn."""
    rows = await _take(
        bundle,
        delete(queued_messages).where(queued_messages.c.chat_id == bundle.chat_id, queued_messages.c.steers),
    )
    messages = [
        UserMessage(row.content, row.created_by, row.model_config_id, row.reasoning_effort)
        for row in sorted(rows, key=lambda row: (row.position, row.id))
    ]
    turn, step = bundle.row["turn"], bundle.row["step"]
    bundle.add_messages([message.row() for message in messages], turn=turn, step=step)
    if messages:
        bundle.answer_with(messages[-1])


async def drop(bundle: Bundle, queued_id: int) -> bool:
    """Take a waiting message out for good; whether there was one."""
    statement = delete(queued_messages).where(
        queued_messages.c.chat_id == bundle.chat_id, queued_messages.c.id == queued_id
    )
    return bool(await _take(bundle, statement))


async def empty(bundle: Bundle) -> None:
    """Take all waiting messages out for good."""
    if bundle.queued:
        await _take(bundle, delete(queued_messages).where(queued_messages.c.chat_id == bundle.chat_id))


async def count_anew(bundle: Bundle) -> None:
    """Make the chat's counts agree with the rows, whatever a hand on the database has done to them."""
    result = await bundle.conn.execute(
        select(func.count(), func.count().filter(queued_messages.c.steers)).where(
            queued_messages.c.chat_id == bundle.chat_id
        )
    )
    queued, steering = result.one()
    bundle.set(queued=queued, steering=steering)


async def _take(bundle: Bundle, statement: Delete) -> list[Any]:
    """Delete messages of the queue.

    Returns:
        Their rows, in no order.
    """
    result = await bundle.conn.execute(statement.returning(*queued_messages.c))
    rows = list(result.all())
    if rows:
        gone = sum(row.steers for row in rows)
        _recount(bundle, bundle.queued - len(rows), _steering(bundle) - gone)
    return rows


def _steering(bundle: Bundle) -> int:
    return bundle.changes.get("steering", bundle.row["steering"])


def _recount(bundle: Bundle, queued: int, steering: int) -> None:
    bundle.set(queued=queued, steering=steering, queue_version=bundle.version)
