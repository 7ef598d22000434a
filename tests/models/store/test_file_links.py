"""Files belong to one chat, whoever asks at the same time."""

import asyncio
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.chat_state import StateName
from models.store.file_links import link_files
from models.store.reading import transaction
from models.store.tables import files
from tests.models.store.rows import ChatRows, new_chat


async def idle_chat(engine: AsyncEngine) -> ChatRows:
    chat = await new_chat(engine)
    await chat.write(StateName.W)
    return chat


async def linked(chat: ChatRows, ids: list[UUID]) -> bool:
    async with transaction(chat.engine) as conn:
        return await link_files(conn, chat.chat, ids)


async def test_of_two_chats_that_want_a_file_at_once_one_gets_it(engine: AsyncEngine):
    one, two = await idle_chat(engine), await idle_chat(engine)
    for _ in range(10):
        file = await one.add_file()
        got = await asyncio.gather(linked(one, [file]), linked(two, [file]))
        assert sorted(got) == [False, True]


async def test_one_file_that_is_not_there_links_none(engine: AsyncEngine):
    chat = await idle_chat(engine)
    file = await chat.add_file()
    assert not await linked(chat, [file, uuid4()])
    async with engine.connect() as conn:
        assert await conn.scalar(select(files.c.chat_id).where(files.c.id == file)) is None


async def test_a_chat_may_name_its_file_again(engine: AsyncEngine):
    chat = await idle_chat(engine)
    file = await chat.add_file()
    assert await linked(chat, [file])
    assert await linked(chat, [file])
