"""Messages on their way into a chat: stored, then delivered or withdrawn.

A draft leaves `pending` once, on its row: by the workflow (`models.store.transitions`) or by `withdraw`.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.chat_state import ChatState
from models.store.reading import UNFLUSHED, reading
from models.store.tables import drafts


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a delivered draft: rows that entered history, or the queue row made for it.
    `version` is the revision of all rows it changed; `state` what a command without content has made of the
    chat."""

    message_ids: tuple[int, ...]
    queued_id: int | None
    version: int
    state: ChatState | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A stored draft. `delivery` counts the times it was sent on its way."""

    id: UUID
    state: str
    delivery: int
    request_hash: str
    model_config_id: UUID | None
    reasoning_effort: str | None
    created_at: datetime
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class NewDraft:
    """Content on its way. Without a model or an effort, the chat decides when it is placed."""

    content: list[dict[str, Any]]
    request_hash: str
    idempotency_key: str | None = None
    model_config_id: UUID | None = None
    reasoning_effort: str | None = None


async def store_draft(engine: AsyncEngine, *, chat_id: UUID, created_by: UUID, new: NewDraft) -> Draft:
    """Store what somebody wants placed, or find what they stored earlier under this key for this chat.

    A withdrawn one is revived for a new delivery, if the request is the same; the caller compares
    `request_hash`.
    """
    values = {"id": uuid4(), "chat_id": chat_id, "created_by": created_by, **asdict(new)}
    statement = insert(drafts).values(values)
    revive = and_(drafts.c.state == "withdrawn", drafts.c.request_hash == statement.excluded.request_hash)
    statement = statement.on_conflict_do_update(
        constraint="drafts_idempotency_key",
        set_={
            "state": case((revive, "pending"), else_=drafts.c.state),
            "delivery": case((revive, drafts.c.delivery + 1), else_=drafts.c.delivery),
            "model_config_id": case(
                (revive, statement.excluded.model_config_id), else_=drafts.c.model_config_id
            ),
            "created_at": case((revive, func.now()), else_=drafts.c.created_at),
        },
    ).returning(
        drafts.c.id,
        drafts.c.state,
        drafts.c.delivery,
        drafts.c.request_hash,
        drafts.c.model_config_id,
        drafts.c.reasoning_effort,
        drafts.c.created_at,
        drafts.c.answer,
        UNFLUSHED,
    )
    async with reading(engine) as conn:  # one statement: it commits by itself
        *columns, answer, _ = (await conn.execute(statement)).one()
    return Draft(*columns, answer=_answer(answer))


async def withdraw(engine: AsyncEngine, draft_id: UUID) -> bool:
    """Give up on a draft that nobody has placed yet.

    Returns:
        Whether it can no longer be placed. False: it has been, see `read_answer`.
    """
    async with reading(engine) as conn:
        await conn.execute(
            update(drafts)
            .where(drafts.c.id == draft_id, drafts.c.state == "pending")
            .values(state="withdrawn")
        )
        state = await conn.scalar(select(drafts.c.state).where(drafts.c.id == draft_id))
    return state == "withdrawn"


async def read_answer(engine: AsyncEngine, draft_id: UUID) -> Answer | None:
    """What became of a draft; None while it is not delivered."""
    async with reading(engine) as conn:
        return _answer(await conn.scalar(select(drafts.c.answer).where(drafts.c.id == draft_id)))


async def withdraw_older(conn: AsyncConnection, age_seconds: float) -> int:
    """Withdraw the drafts whose door died before it could.

    Returns:
        How many there were.
    """
    result = await conn.execute(
        update(drafts)
        .where(
            drafts.c.state == "pending",
            drafts.c.created_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, age_seconds),
        )
        .values(state="withdrawn")
    )
    return result.rowcount


def _answer(stored: dict[str, Any] | None) -> Answer | None:
    if stored is None:
        return None
    state = stored.get("state")
    return Answer(
        tuple(stored["message_ids"]),
        stored["queued_id"],
        stored["version"],
        None if state is None else ChatState.model_validate(state),
    )
