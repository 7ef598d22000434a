"""The API goes away and comes back while a client is at work."""

import asyncio

import psycopg

from activities.providers.demo import script_block
from cli.stack import Stack
from perdure.client import ConnectionLost, MessageEvent, PartEvent
from perdure.client import Perdure as Client

STORY = " ".join(f"word{number}" for number in range(120))


async def test_a_stream_goes_on_where_it_was(whole_stack: Stack, client: Client) -> None:
    chat = await client.chats.create(script_block({"text": STORY, "every_seconds": 0.03}))
    places: list[tuple[int, ...]] = []
    streamed, messages, lost = "", list[int](), 0
    async for event in chat.stream(until_rest=True):
        match event:
            case ConnectionLost():
                lost += 1
            case PartEvent(message_part=piece):
                places.append((piece.generation_attempt, piece.seq or 0))
                streamed += piece.part.text
                if len(places) == 10:
                    await whole_stack.kill("api", restart=True)
            case MessageEvent(message=message):
                messages.append(message.id)
            case _:
                pass
    assert lost == 1
    assert places == [(1, number + 1) for number in range(len(places))]
    rows = await chat.history()
    assert messages == [row.id for row in rows]
    assert rows[-1].text == STORY
    assert STORY.startswith(streamed)


async def test_a_message_whose_answer_was_lost_is_repeated_and_enters_once(
    whole_stack: Stack, client: Client
) -> None:
    chat = await client.chats.create(script_block({"text": "first"}))
    await chat.wait()
    told: list[str] = []
    whole_stack.freeze("worker")  # the request is taken, and waits
    try:
        async with Client.of(client.server, told.append) as other, asyncio.TaskGroup() as group:
            sending = group.create_task(other.chats.open(chat.id).send(script_block({"text": "second"})))
            await stored(whole_stack, chat.id)
            await whole_stack.kill("api", restart=True)
            whole_stack.thaw("worker")
    finally:
        whole_stack.thaw("worker")
    assert "trying again" in told[0]
    assert not sending.result().queued
    await chat.wait()
    assert [row.role for row in await chat.history()] == ["user", "assistant"] * 2
    assert await chat.queue() == []


async def stored(stack: Stack, chat_id: str) -> None:
    """Wait until a message on its way into the chat is in Postgres."""
    query = "SELECT count(*) FROM drafts WHERE chat_id = %s"
    async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as connection:
        while (await (await connection.execute(query, (chat_id,))).fetchone()) == (0,):
            pass
