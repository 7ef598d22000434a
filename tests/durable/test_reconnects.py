"""Readers dropped at random points of a whole turn, while the servers under them die and come back."""

from itertools import cycle
from random import Random
from typing import Any

import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Caller
from tests.durable.processes import another_api
from tests.durable.restless import RestlessReader, RestlessSocket

STORY = " ".join(f"word{number}" for number in range(60))
READERS = 3


def step(hold: str, *tools: str) -> dict[str, Any]:
    return {
        "text": f"{hold} {STORY}",
        "every_seconds": 0.02,
        "tools": [{"name": name, "input": {}} for name in tools],
        "hold": {"name": hold, "after_pieces": 30},
    }


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_reader_ends_with_the_rows_and_no_part_twice(
    perdure: Stack, caller: Caller, model: DemoModel, seed: int
):
    chance = Random(seed)
    holds = [f"{what}-{seed}" for what in ("api", "valkey", "both")]
    steps = [step(holds[0], "current_time"), step(holds[1], "current_time"), step(holds[2])]
    said = script_block(*steps)
    async with another_api(perdure) as second:
        chat = await caller.create(said)
        paths = [f"{url}/api/v2/chats/{chat}/stream" for url in (perdure.api_url, second)]

        def restless(kind: type[RestlessReader]) -> RestlessReader:
            chance.shuffle(paths)
            addresses = cycle(list(paths))
            return caller.follow(
                kind(paths[0], caller.headers, addresses=addresses, stay=lambda: chance.randrange(3, 20))
            )

        readers = [restless(RestlessReader) for _ in range(READERS)]
        sockets = [restless(RestlessSocket) for _ in range(READERS)]
        for number, hold in enumerate(holds):
            await model.reached(hold)
            if number != 1:
                await perdure.kill("api")
            if number != 0:
                await perdure.restart("valkey")
            model.release(hold)
            await perdure.start("api")
        for reader in (*readers, *sockets):
            await reader.rested(3)
            assert reader.connections > 3
            await caller.agree(reader, chat, [said], [str(one["text"]) for one in steps])
        for reader in readers:
            assert any(reader.seqs.values()), "it has seen the answer being written"
        for socket in sockets:
            assert isinstance(socket, RestlessSocket)
            for telling in socket.tellings:
                for seqs in telling.values():
                    assert seqs == list(range(1, len(seqs) + 1))
