"""What a model is told when it names a chat or a turn, and keeping the name.

Names are metadata: they decide no transition, so they are written beside the chat's workflow. What their
calls have used is a message row that neither people nor models see: deleted, and for the model alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.chat_state import ChatStatus
from models.inbox import TURN_FINISHED
from models.naming import provisional_title
from models.parts import TextPart, dump_part
from models.spending import Payer
from models.store.costs import Aside, record_aside
from models.store.messages import PUBLIC
from models.store.reading import reading, transaction
from models.store.scoping import FAMILY
from models.store.spending import budgeted
from models.store.tables import chats, inbox_notifications, messages

_PROPOSED_FROM = 50


@dataclass(frozen=True, slots=True)
class Said:
    """Words of one message, or of several of one side."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Nameless:
    """A chat or a turn that wants a name, and what is said in it.

    Attributes:
        payer: whose pots the call falls into, and `budgeted` whether there is a budget for any of them.
        model_config_id: the model that finds it, if it can be called.
        title: the chat's title as it was read.
        label: what the turn has, where an attempt that died has left one.
    """

    chat_id: UUID
    payer: Payer
    budgeted: bool
    model_config_id: UUID
    title: str
    turn: int
    conversation: Sequence[Said] = ()
    label: str | None = None


_CHAT = select(
    chats.c.owner_id,
    chats.c.organization_id,
    chats.c.last_model_config_id,
    chats.c.title,
    chats.c.turn,
    FAMILY.label("family"),
    budgeted(chats.c.organization_id, chats.c.owner_id, FAMILY).label("budgeted"),
).where(chats.c.id == bindparam("chat"))


async def _read_chat(conn: AsyncConnection, chat_id: UUID) -> Nameless | None:
    row = (await conn.execute(_CHAT, {"chat": chat_id})).one_or_none()
    if row is None:
        return None
    payer = Payer(row.organization_id, row.owner_id, chat_id, row.family)
    return Nameless(chat_id, payer, row.budgeted, row.last_model_config_id, row.title, row.turn)


async def read_untitled(engine: AsyncEngine, chat_id: UUID) -> Nameless | None:
    """The first message of a chat that still has the title it was given provisionally; None for another."""
    async with reading(engine) as conn:
        chat = await _read_chat(conn, chat_id)
        if chat is None:
            return None
        first = await conn.scalar(
            select(messages.c.content)
            .where(messages.c.chat_id == chat_id, messages.c.role == "user", *PUBLIC)
            .order_by(messages.c.id)
            .limit(1)
        )
    if first is None or chat.title not in ("", provisional_title(first)):
        return None
    said = Said("user", _text(first))
    return replace(chat, conversation=[said]) if said.text.strip() else None


_LABEL = select(chats.c.last_turn_summary).where(
    chats.c.id == bindparam("chat"), chats.c.turn == bindparam("at_turn")
)
_TURN = (
    select(messages.c.role, messages.c.content)
    .where(
        messages.c.chat_id == bindparam("chat"),
        messages.c.turn == bindparam("at_turn"),
        messages.c.role.in_(["user", "assistant"]),
        messages.c.compressed.is_(False),
        *PUBLIC,
    )
    .order_by(messages.c.id)
)


async def read_finished_turn(engine: AsyncEngine, chat_id: UUID, turn: int) -> Nameless | None:
    """What was asked and answered in a turn; None if there is no such chat.

    The conversation ends with the last words of the assistant. It is empty where they are blank, and where
    the chat has begun another turn: then no label is wanted any more.
    """
    async with reading(engine) as conn:
        chat = await _read_chat(conn, chat_id)
        if chat is None:
            return None
        label = await conn.scalar(_LABEL, {"chat": chat_id, "at_turn": turn})
        rows = (await conn.execute(_TURN, {"chat": chat_id, "at_turn": turn})).all()
    said = [Said(row.role, _text(row.content)) for row in rows]
    answered = chat.turn == turn and said and said[-1].role == "assistant" and said[-1].text.strip()
    return replace(chat, conversation=[said[0], said[-1]] if answered else [], label=label)


async def read_for_proposal(engine: AsyncEngine, chat_id: UUID) -> Nameless | None:
    """The first message of the user and the last three turns, out of the 50 messages at either end."""
    among = select(messages.c.id).where(messages.c.chat_id == chat_id, *PUBLIC)
    first = among.order_by(messages.c.id).limit(_PROPOSED_FROM)
    last = among.order_by(messages.c.id.desc()).limit(_PROPOSED_FROM)
    query = (
        select(messages.c.turn, messages.c.role, messages.c.content)
        .where(
            or_(messages.c.id.in_(first), messages.c.id.in_(last)),
            and_(messages.c.role.in_(["user", "assistant"]), messages.c.compressed.is_(False)),
        )
        .order_by(messages.c.id)
    )
    async with reading(engine) as conn:
        chat = await _read_chat(conn, chat_id)
        if chat is None:
            return None
        rows = (await conn.execute(query)).all()
    opening = next((n for n, row in enumerate(rows) if row.role == "user" and _text(row.content).strip()), -1)
    told = [
        Said(row.role, _text(row.content))
        for n, row in enumerate(rows)
        if n == opening or row.turn > chat.turn - 3
    ]
    return replace(chat, conversation=[said for said in told if said.text.strip()])


async def keep_title(
    engine: AsyncEngine, chat_id: UUID, provisional: str, title: str | None, spent: Aside | None
) -> bool:
    """Give a chat its title, unless somebody has renamed it meanwhile; whether it was given."""
    async with transaction(engine) as conn:
        given = 0
        if title is not None and title != provisional:
            result = await conn.execute(
                update(chats).where(chats.c.id == chat_id, chats.c.title == provisional).values(title=title)
            )
            given = result.rowcount
        if spent is not None:  # the chat first and the books behind it, as everywhere
            await record_aside(conn, spent, turn=0)
        return given > 0


async def keep_label(engine: AsyncEngine, chat_id: UUID, turn: int, label: str, spent: Aside | None) -> bool:
    """Label a finished turn, in the chat and in its notification; whether the chat took it.

    It takes none once another turn has begun or the chat is in error. The number of the turn tells that;
    `updated_at`, which other products compare here, changes with every label and pin as well.
    """
    async with transaction(engine) as conn:
        result = await conn.execute(
            update(chats)
            .where(chats.c.id == chat_id, chats.c.turn == turn, chats.c.status != ChatStatus.ERROR)
            .values(last_turn_summary=label)
        )
        await conn.execute(
            update(inbox_notifications)
            .where(
                inbox_notifications.c.chat_id == chat_id,
                inbox_notifications.c.turn == turn,
                inbox_notifications.c.template_id == TURN_FINISHED,
            )
            .values(content=label)
        )
        if spent is not None:
            await record_aside(conn, spent, turn=turn)
        return result.rowcount > 0


async def keep_proposal(engine: AsyncEngine, title: str, spent: Aside) -> int:
    """Keep a proposed title where nobody sees it: with what it has cost.

    Returns:
        The id under which `read_proposal` finds it.
    """
    async with transaction(engine) as conn:
        return await record_aside(conn, spent, turn=0, content=[dump_part(TextPart(text=title))])


async def read_proposal(engine: AsyncEngine, chat_id: UUID, proposal_id: int) -> str:
    """A title that `keep_proposal` has kept. Whether the caller may see the chat was found out before."""
    query = select(messages.c.content).where(
        messages.c.chat_id == chat_id, messages.c.id == proposal_id, messages.c.visibility == "model"
    )
    async with reading(engine) as conn:
        content: list[dict[str, Any]] = (await conn.execute(query)).scalar_one()
    return _text(content)


def _text(parts: Sequence[dict[str, Any]]) -> str:
    return "\n".join(part["text"] for part in parts if part["type"] == "text")
