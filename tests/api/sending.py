"""A message on its way: posted by a client, placed as a chat's workflow does it."""

from uuid import UUID, uuid4

import httpx2
from sqlalchemy import update

from models.store import chats as chat_store
from models.store.tables import drafts
from models.store.transitions import commit_transition
from models.turns import BusyBehavior, Commit
from tests.api.conftest import Door
from tests.api.served import Body, text
from workflows.chat.events import MessageSent
from workflows.chat.machine import decide


async def send(
    door: Door, chat: Body, words: str = "and?", key: str | None = None, **more: object
) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await door.owner.http.post(
        f"/chats/{chat['id']}/messages", json={"content": text(words), **more}, headers=headers
    )


async def place(door: Door, chat: Body, busy: BusyBehavior = BusyBehavior.QUEUE) -> None:
    """What the chat's workflow does with the chat's newest draft."""
    chat_id = UUID(chat["id"])
    record = await chat_store.find_chat(door.engine, door.owner.caller, chat_id)
    assert record is not None
    write = decide(record.state, MessageSent(await newest_draft(door, chat), busy))
    await commit_transition(door.engine, Commit(chat_id=chat_id, command_id=str(uuid4()), write=write))


async def newest_draft(door: Door, chat: Body) -> UUID:
    """The draft of a chat that nobody has placed, ready to be placed although its door has given up."""
    async with door.engine.begin() as conn:
        draft_id = await conn.scalar(
            update(drafts)
            .where(drafts.c.chat_id == UUID(chat["id"]), drafts.c.state != "delivered")
            .values(state="pending")
            .returning(drafts.c.id)
        )
    assert draft_id is not None
    return draft_id
