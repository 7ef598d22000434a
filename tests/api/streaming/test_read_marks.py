"""Who follows a stream has read the chat, if it is theirs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import literal_column, select

from models.store.read_marks import mark_read
from models.store.tables import chats
from tests.api.conftest import Door
from tests.api.histories import change, listed, say
from tests.api.served import Body
from tests.api.streaming.readers import frames, sse
from tests.durable.rows import until


@asynccontextmanager
async def connected(door: Door, chat: Body, transport: str) -> AsyncGenerator[None]:
    """A reader of a chat that has got its first event."""
    if transport == "websocket":
        async with frames(door, chat) as socket:
            await socket.recv()
            yield
    else:
        async with sse(door, chat) as reader:
            await reader.until("status")
            yield


async def is_read(door: Door) -> list[Body]:
    """The list, once nothing in it is unread."""
    found = await listed(door)
    return [] if any(chat["has_unread"] for chat in found) else found


@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_the_owners_stream_reads_on_connect_and_on_disconnect(door: Door, transport: str):
    chat = await door.create()
    await say(door, chat, "first")
    before = await listed(door)
    assert before[0]["has_unread"]
    async with connected(door, chat, transport):
        now = await listed(door)
        assert now == [{**before[0], "has_unread": False}], "and the chat keeps its place"
        await say(door, chat, "second")
        assert (await listed(door))[0]["has_unread"]
    await until(lambda: is_read(door))


async def test_a_reader_who_is_not_the_owner_moves_nothing(door: Door):
    chat = await door.create()
    await say(door, chat, "first")
    await mark_read(door.engine, door.other.caller, UUID(chat["id"]))
    assert (await listed(door))[0]["has_unread"]


async def test_marking_again_writes_nothing_and_never_goes_back(door: Door):
    chat = await door.create()
    chat_id = UUID(chat["id"])

    async def row() -> Any:
        async with door.engine.connect() as conn:
            written_by = literal_column("xmin::text")
            query = select(chats.c.last_read_message_id, written_by).where(chats.c.id == chat_id)
            return tuple((await conn.execute(query)).one())

    unread = await row()
    await mark_read(door.engine, door.owner.caller, chat_id)
    assert await row() == unread, "there is no answer yet"
    answer = await say(door, chat, "first")
    await mark_read(door.engine, door.owner.caller, chat_id)
    read = await row()
    assert read[0] == answer
    await mark_read(door.engine, door.owner.caller, chat_id)
    assert await row() == read
    await change(door, chat, last_read_message_id=answer + 1)
    await mark_read(door.engine, door.owner.caller, chat_id)
    assert (await row())[0] == answer + 1
