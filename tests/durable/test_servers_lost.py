"""Valkey, Temporal and the API taken away in the middle of things."""

import asyncio

import httpx2
import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Caller
from tests.durable.rows import Rows, until
from tests.durable.saying import WORDS


async def test_valkey_restarted_in_mid_stream(perdure: Stack, caller: Caller, model: DemoModel):
    said = script_block({"text": WORDS, "pieces": 10, "hold": {"name": "valkey", "after_pieces": 4}})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("valkey")
    await reader.until(lambda r: "three" in r.preview)
    await perdure.restart("valkey")
    model.release("valkey")
    await reader.rested()
    await caller.agree(reader, chat, [said], [WORDS])


async def test_a_reader_that_comes_after_valkey_lost_everything_sees_the_whole_episode(
    perdure: Stack, caller: Caller, model: DemoModel
):
    holds = [{"name": "lost", "after_pieces": 4}, {"name": "found", "after_pieces": 8}]
    said = script_block({"text": WORDS, "pieces": 10, "hold": holds[0]})
    chat = await caller.create(said)
    await model.reached("lost")
    await perdure.restart("valkey")
    late = caller.read(chat)
    await late.connected()
    model.release("lost")
    await late.rested()
    await caller.agree(late, chat, [said], [WORDS])


async def test_a_turn_with_valkey_away_from_beginning_to_end(
    perdure: Stack, caller: Caller, model: DemoModel
):
    said = script_block({"text": WORDS, "pieces": 10}) + " without the live view"
    await perdure.stop("valkey")
    try:
        chat = await caller.create(said)
        reader = caller.read(chat)
        await reader.rested()
        await caller.agree(reader, chat, [said], [WORDS])
    finally:
        await perdure.start("valkey")


async def test_an_interrupt_with_valkey_away(perdure: Stack, caller: Caller, model: DemoModel):
    said = script_block({"text": WORDS, "pieces": 10, "hold": {"name": "deaf", "after_pieces": 4}})
    chat = await caller.create(said)
    await model.reached("deaf")
    await perdure.stop("valkey")
    try:
        reader = caller.read(chat)
        assert (await caller.interrupt(chat)).status_code == 200
        await reader.rested()
        (answer,) = reader.answers()
        assert WORDS.startswith(answer["content"][0]["text"])
    finally:
        await perdure.start("valkey")
        model.release("deaf")


async def test_temporal_restarted_in_mid_stream(perdure: Stack, caller: Caller, model: DemoModel):
    said = script_block({"text": WORDS, "pieces": 10, "hold": {"name": "temporal", "after_pieces": 4}})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("temporal")
    await perdure.kill("temporal")
    model.release("temporal")
    await perdure.start("temporal")
    after = script_block({"text": "and on"}) + " after the restart"
    await caller.send(chat, after)
    await reader.rested(2)
    await caller.agree(reader, chat, [said, after], [WORDS, "and on"])


async def test_postgres_restarted_in_mid_stream(perdure: Stack, caller: Caller, model: DemoModel):
    said = script_block({"text": WORDS, "pieces": 10, "hold": {"name": "postgres", "after_pieces": 4}})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("postgres")
    await perdure.kill("postgres")
    model.release("postgres")
    await perdure.start("postgres")
    await reader.rested()
    await caller.agree(reader, chat, [said], [WORDS])


async def test_a_post_whose_api_dies_is_one_message_when_repeated(perdure: Stack, caller: Caller, rows: Rows):
    first = script_block({"text": "first"}) + " before"
    chat = await caller.create(first)
    reader = caller.read(chat)
    await reader.rested()
    said = script_block({"text": WORDS, "pieces": 10}) + " once only"
    perdure.freeze("temporal")
    try:
        posted = asyncio.create_task(caller.send(chat, said, key="the-same-key"))
        await rows.until("SELECT 1 FROM drafts WHERE chat_id = :chat AND state = 'pending'", chat=chat)
        await perdure.kill("api")
        with pytest.raises(httpx2.HTTPError):
            await posted
    finally:
        perdure.thaw("temporal")
    await perdure.start("api")
    repeated = await caller.send(chat, said, key="the-same-key")
    again = await caller.send(chat, said, key="the-same-key")
    assert again == repeated
    await reader.rested(2)
    await caller.agree(reader, chat, [first, said], ["first", WORDS])


async def test_a_post_that_no_worker_takes_is_refused_and_leaves_nothing(
    perdure: Stack, caller: Caller, rows: Rows
):
    first = script_block({"text": "first"}) + " worker there"
    chat = await caller.create(first)
    reader = caller.read(chat)
    await reader.rested()
    await perdure.kill("worker")
    answer = await caller.http.post(
        f"{caller.url}/{chat}/messages",
        json={"content": [{"type": "text", "text": "nobody hears"}]},
        headers={"Idempotency-Key": "unheard"},
    )
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    await perdure.start("worker")
    said = script_block({"text": WORDS, "pieces": 10}) + " heard"
    await caller.send(chat, said)
    await reader.rested(2)
    await caller.agree(reader, chat, [first, said], ["first", WORDS])


async def test_a_chat_goes_on_from_its_rows_when_temporal_has_lost_everything(
    perdure: Stack, caller: Caller, model: DemoModel
):
    said = script_block({"text": WORDS, "pieces": 10, "hold": {"name": "amnesia", "after_pieces": 4}})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("amnesia")
    await perdure.kill("worker")
    await perdure.kill("temporal")
    for file in perdure.directory.path.glob("temporal*.db*"):
        file.unlink()
    for file in (perdure.directory.path / "temporal").glob("*"):
        file.unlink()
    await perdure.start("temporal")
    await perdure.start("worker")
    model.release("amnesia")
    await reader.rested()
    await caller.agree(reader, chat, [said], [WORDS])


async def test_a_reader_whose_api_dies_goes_on_where_it_was(perdure: Stack, caller: Caller, model: DemoModel):
    said = script_block({"text": WORDS, "pieces": 10, "hold": {"name": "reader", "after_pieces": 4}})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("reader")
    await reader.until(lambda r: "three" in r.preview)
    await perdure.kill("api")
    await perdure.start("api")
    await reader.until(lambda r: r.connections >= 2)
    model.release("reader")
    await reader.rested()
    await caller.agree(reader, chat, [said], [WORDS])
    assert len(reader.seqs) == 1, "the episode went on"


async def _listens(url: str) -> list[bool]:
    async with httpx2.AsyncClient() as http:
        return [True] if (await http.get(f"{url}/readyz")).status_code == 200 else []


async def test_readyz_names_what_is_missing(perdure: Stack):
    await perdure.stop("valkey")
    try:
        async with httpx2.AsyncClient() as http:
            answer = await http.get(f"{perdure.api_url}/readyz")
        assert answer.status_code == 503
        assert "redis" in answer.text
    finally:
        await perdure.start("valkey")
    await until(lambda: _listens(perdure.api_url))
