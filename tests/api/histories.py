"""Chats as they are after a while: with answers, children, a place in time, archived."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update

from models.store import chats as chat_store
from models.store.tables import chats, messages
from models.store.transitions import commit_transition
from models.turns import Commit, Receipt, Verdict
from tests.api.conftest import Door
from tests.api.served import Body
from workflows.chat.events import ArchivedSet
from workflows.chat.machine import decide

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)

_steps = count(1)  # of one answer each


async def change(door: Door, chat: Body, **columns: object) -> None:
    """Set columns of a chat's row."""
    async with door.engine.begin() as conn:
        await conn.execute(update(chats).where(chats.c.id == UUID(chat["id"])).values(**columns))


async def changed_at(door: Door, chat: Body, minutes: int) -> None:
    """Let a chat have been changed last so many minutes after a time long ago."""
    await change(door, chat, updated_at=LONG_AGO + timedelta(minutes=minutes))


async def say(door: Door, chat: Body, words: str, role: str = "assistant", **columns: object) -> int:
    """Add a row to history; its id."""
    row = {
        "chat_id": UUID(chat["id"]),
        "role": role,
        "content": [{"type": "text", "text": words}],
        "content_version": 1,
        "step": next(_steps),
        **columns,
    }
    async with door.engine.begin() as conn:
        return (await conn.execute(insert(messages).values(**row).returning(messages.c.id))).scalar_one()


async def add_child(door: Door, root: Body, **columns: object) -> Body:
    """A chat of a subagent of this root."""
    parent = UUID(root["id"])
    async with door.engine.begin() as conn:
        row = (await conn.execute(select(chats).where(chats.c.id == parent))).mappings().one()
        child = {
            **row,
            "id": uuid4(),
            "parent_chat_id": parent,
            "root_chat_id": parent,
            "idempotency_key": None,
            "pin_order": 0,
            **columns,
        }
        await conn.execute(insert(chats).values(**child))
    return {"id": str(child["id"])}


async def archive(door: Door, chat: Body, command_id: str = "archive", *, archived: bool = True) -> Receipt:
    """What the chat's workflow does when it is told to archive; the chat rests before."""
    chat_id = UUID(chat["id"])
    if archived:
        await change(door, chat, status="waiting")
    record = await chat_store.find_chat(door.engine, door.owner.caller, chat_id)
    assert record is not None
    write = decide(record.state, ArchivedSet(archived))
    receipt = await commit_transition(
        door.engine, Commit(chat_id=chat_id, command_id=command_id, write=write)
    )
    assert receipt.verdict is Verdict.APPLIED
    return receipt


async def listed(door: Door, **params: object) -> list[Body]:
    """The owner's list."""
    response = await door.owner.http.get("/chats", params=params)  # pyright: ignore[reportArgumentType]
    assert response.status_code == 200, response.text
    return response.json()


async def titles(door: Door, **params: object) -> list[str]:
    return [chat["title"] for chat in await listed(door, **params)]
