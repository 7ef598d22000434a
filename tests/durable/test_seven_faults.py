"""The seven faults that servers of streamed chats usually have: a test for each.

Those that have one elsewhere are named in `ELSEWHERE`; the others are here.
"""

import asyncio
from importlib import import_module

import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Caller, text_of
from tests.durable.processes import another_api
from tests.durable.rows import Rows
from tests.durable.saying import WORDS

ELSEWHERE = {
    "replay after reconnect doubles text": (
        "tests.durable.test_reconnects:test_every_reader_ends_with_the_rows_and_no_part_twice",
        "tests.durable.test_servers_lost:test_a_reader_whose_api_dies_goes_on_where_it_was",
    ),
    "a reader before the first token never learns of the turn": (
        "tests.durable.test_worker_killed:test_killed_before_it_took_the_step",
        "tests.api.streaming.test_stream:"
        "test_a_reader_before_the_first_token_gets_the_running_turn_and_all_that_follows",
    ),
    "a double answer after a repeated send or tool result": (
        "tests.durable.test_overlapping_commands:test_a_repeated_key_is_one_message_however_many_ask_at_once",
        "tests.durable.test_servers_lost:test_a_post_whose_api_dies_is_one_message_when_repeated",
        "tests.durable.test_actions:test_ten_clients_answer_at_once_and_one_is_heard",
    ),
    "partial text lost on stop or crash": (
        "tests.durable.test_interrupts:test_what_the_reader_saw_is_kept",
        "tests.durable.test_worker_killed:test_killed_in_mid_stream",
    ),
    "listeners that leak when a proxy keeps the socket open": (
        "tests.api.streaming.test_endings:"
        "test_a_connection_that_a_proxy_keeps_open_is_let_go_when_its_life_is_over",
        "tests.api.streaming.test_endings:test_a_reader_that_takes_nothing_any_more_is_let_go",
    ),
}


@pytest.mark.parametrize("name", [name for names in ELSEWHERE.values() for name in names])
def test_the_tests_named_here_exist(name: str):
    module, _, function = name.partition(":")
    assert callable(getattr(import_module(module), function))


async def test_a_resumed_stream_is_stopped_through_whichever_process_the_reader_came_back_to(
    perdure: Stack, caller: Caller, model: DemoModel, rows: Rows
):
    said = script_block({"text": WORDS, "pieces": 10, "hold": {"name": "resumed", "after_pieces": 4}})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("resumed")
    await reader.until(lambda r: "three" in r.preview)
    async with another_api(perdure) as second:
        await perdure.kill("api")
        try:
            reader.url = f"{second}/api/v2/chats/{chat}/stream"
            await reader.until(lambda r: r.connections >= 2)
            seen = reader.preview
            assert perdure.token is not None
            async with Caller(second, perdure.token, rows) as there:
                assert (await there.interrupt(chat)).status_code == 200
                await reader.rested()
        finally:
            await perdure.start("api")
        (kept,) = reader.answers()
        assert text_of(kept).startswith(seen)
        assert WORDS.startswith(text_of(kept))
        assert text_of(kept) != WORDS, "the model was not heard out"
        await caller.agree(reader, chat, [said], [text_of(kept)])


async def test_no_chat_is_left_running_when_everything_was_killed_at_once(
    perdure: Stack, caller: Caller, model: DemoModel
):
    said = [
        script_block({"text": f"{hold} {WORDS}", "pieces": 10, "hold": {"name": hold, "after_pieces": after}})
        for hold, after in (("thought", 0), ("begun", 4))
    ]
    chats = [await caller.create(one) for one in said]
    for hold in ("thought", "begun"):
        await model.reached(hold)
    await asyncio.gather(*[perdure.kill(part) for part in ("api", "worker", "temporal", "valkey")])
    for hold in ("thought", "begun"):
        model.release(hold)
    for part in ("valkey", "temporal", "worker", "api"):
        await perdure.start(part)
    for chat, hold, one in zip(chats, ("thought", "begun"), said, strict=True):
        reader = caller.read(chat)
        await reader.rested()
        await caller.agree(reader, chat, [one], [f"{hold} {WORDS}"])
