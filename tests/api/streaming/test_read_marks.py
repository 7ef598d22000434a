"""Who follows a stream has read the chat, if it is theirs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from models.store.read_marks import mark_read
from tests.api.conftest import Door
from tests.api.histories import change, listed, say
from tests.api.people import everybody, share
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


@pytest.mark.parametrize("whom", ["reader", "org-admin", "site-owner", "auditor"])
async def test_whoever_reads_along_without_owning_the_chat_moves_nothing(door: Door, whom: str):
    chat = await door.create()
    await say(door, chat, "first")
    async with everybody(door) as people:
        await share(door.engine, chat["id"], people.id("reader"))
        async with sse(door, chat, who=people.by_name[whom]) as reader:
            await reader.until("status")
            assert (await listed(door))[0]["has_unread"]
        assert people.id(whom) != door.owner.caller.user_id
    assert (await listed(door))[0]["has_unread"]


async def test_marking_again_writes_nothing_and_never_goes_back(door: Door):
    chat = await door.create()
    chat_id = UUID(chat["id"])

    async def row() -> Any:
        async with door.engine.connect() as conn:
            query = text("SELECT last_read_message_id, xmin FROM chats WHERE id = :chat")
            return tuple((await conn.execute(query, {"chat": chat_id})).one())

    unread = await row()
    await mark_read(door.engine, door.owner.caller.user_id, chat_id)
    assert await row() == unread, "there is no answer yet"
    answer = await say(door, chat, "first")
    await mark_read(door.engine, door.owner.caller.user_id, chat_id)
    read = await row()
    assert read[0] == answer
    await mark_read(door.engine, door.owner.caller.user_id, chat_id)
    assert await row() == read
    await change(door, chat, last_read_message_id=answer + 1)
    await mark_read(door.engine, door.owner.caller.user_id, chat_id)
    assert (await row())[0] == answer + 1
