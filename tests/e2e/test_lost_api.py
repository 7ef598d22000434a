"""The API goes away and comes back while a client is at work."""

import asyncio
from contextlib import aclosing

import psycopg

from activities.providers.demo import script_block
from cli.client import Client, LinkLost
from cli.client.shapes import text_of
from cli.stack import Stack

STORY = " ".join(f"word{number}" for number in range(120))


async def test_a_stream_goes_on_where_it_was(whole_stack: Stack, client: Client) -> None:
    chat = await client.create_chat(script_block({"text": STORY, "every_seconds": 0.03}))
    places: list[tuple[int, ...]] = []
    streamed, messages, lost = "", list[int](), 0
    async with aclosing(client.events(chat["id"])) as events:
        async for event in events:
            match event:
                case LinkLost():
                    lost += 1
                case {"type": "message_part", "message_part": piece}:
                    place = (piece.get("generation_attempt", 0), piece.get("seq", 0))
                    places.append(place)
                    streamed += piece["part"].get("text", "")
                    if len(places) == 10:
                        await whole_stack.kill("api", restart=True)
                case {"type": "message", "message": message}:
                    messages.append(message["id"])
                case {"type": "status", "status": {"status": "waiting"}}:
                    break
                case _:
                    pass
    assert lost == 1
    assert places == [(1, number + 1) for number in range(len(places))]
    rows, _ = await client.history(chat["id"])
    assert messages == [row["id"] for row in rows]
    assert text_of(rows[-1].get("content")) == STORY
    assert STORY.startswith(streamed)


async def test_a_message_whose_answer_was_lost_is_repeated_and_enters_once(
    whole_stack: Stack, client: Client
) -> None:
    chat = await client.create_chat(script_block({"text": "first"}))
    await at_rest(client, chat["id"])
    told: list[str] = []
    whole_stack.freeze("worker")  # the request is taken, and waits
    try:
        async with Client(client.server, told.append) as other, asyncio.TaskGroup() as group:
            sending = group.create_task(other.send(chat["id"], script_block({"text": "second"})))
            await stored(whole_stack, chat["id"])
            await whole_stack.kill("api", restart=True)
            whole_stack.thaw("worker")
    finally:
        whole_stack.thaw("worker")
    assert "trying again" in told[0]
    assert not sending.result()["queued"]
    await at_rest(client, chat["id"])
    rows, page = await client.history(chat["id"])
    assert [row["role"] for row in rows] == ["user", "assistant"] * 2
    assert page["queued_messages"] == []


async def at_rest(client: Client, chat_id: str) -> None:
    """Wait until a chat's turn has ended."""
    async with aclosing(client.events(chat_id)) as events:
        async for event in events:
            if not isinstance(event, LinkLost) and event.get("status") == {"status": "waiting"}:
                return


async def stored(stack: Stack, chat_id: str) -> None:
    """Wait until a message on its way into the chat is in Postgres."""
    query = "SELECT count(*) FROM drafts WHERE chat_id = %s"
    async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as connection:
        while (await (await connection.execute(query, (chat_id,))).fetchone()) == (0,):
            pass
