"""A stream is read to its end whatever becomes of connections, and holds what GET holds."""

import random
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from perdure.client import Chat, ConnectionLost, HistoryResetEvent, Message, MessageEvent, PartEvent, Perdure
from tests.perdure.proxy import Proxy

STORY = " ".join(f"word{number}" for number in range(150))
LOOK: dict[str, Any] = {
    "text": "let me look at the clock",
    "every_seconds": 0.02,
    "tools": [{"name": "current_time", "input": {}}],
}
TURN = script_block(LOOK, {"text": STORY, "every_seconds": 0.01})


@dataclass
class Seen:
    """What a reader has seen of a chat."""

    rows: dict[int, Message] = field(default_factory=dict[int, Message])
    places: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    words: str = ""
    losses: int = 0

    def take(self, event: object) -> None:
        match event:
            case ConnectionLost():
                self.losses += 1
            case HistoryResetEvent():
                self.rows.clear()
            case MessageEvent(message=message):
                self.rows[message.id] = message
            case PartEvent(message_part=piece):
                self.places.append((piece.history_version, piece.generation_attempt, piece.seq or 0))
                self.words += event.text
            case _:
                pass

    async def hold_against(self, chat: Chat) -> None:
        """Each part once and in order, and exactly the rows."""
        assert self.places == sorted(set(self.places))
        assert list(self.rows.values()) == await chat.history()


@pytest.mark.parametrize("seed", range(4))
async def test_connections_cut_at_random_places_cost_nothing(
    whole: Stack, perdure: Perdure, wire: Proxy, seed: int
) -> None:
    chance = random.Random(seed)
    wire.budget = lambda: chance.randrange(300, 6000)
    assert whole.token
    chat = await perdure.chats.create(TURN)
    seen = Seen()
    async with Perdure(wire.url, whole.token) as shaken:
        async for event in shaken.chats.open(chat.id).stream(until_rest=True):
            seen.take(event)
    assert wire.cuts > 3
    await seen.hold_against(chat)
    assert (await chat.history())[-1].text == STORY


@pytest.mark.parametrize("seed", range(3))
async def test_requests_whose_answers_are_cut_off_are_carried_out_once(
    whole: Stack, perdure: Perdure, wire: Proxy, seed: int
) -> None:
    chance = random.Random(seed)
    wire.budget = lambda: 1 if chance.random() < 0.5 else 100_000
    assert whole.token
    async with Perdure(wire.url, whole.token) as shaken:
        chat = await shaken.chats.create(script_block({"text": "one"}))
        assert (await chat.wait()).text == "one"
        assert (await chat.ask(script_block({"text": "two"}))).text == "two"
        wire.budget = lambda: 1 if chance.random() < 0.5 else 100_000
        await chat.clear()
        await chat.ask(script_block({"text": "three"}))
    rows = await perdure.chats.open(chat.id).history()
    assert [row.text for row in rows if row.role == "assistant" and row.text] == ["one", "two", "three"]


@pytest.mark.parametrize("part", ["api", "valkey"])
async def test_a_part_killed_in_mid_stream_costs_nothing(
    whole: Stack, perdure: Perdure, model: DemoModel, part: str
) -> None:
    name = uuid4().hex
    step: dict[str, Any] = {"text": STORY, "every_seconds": 0.01, "hold": {"name": name, "after_pieces": 60}}
    chat = await perdure.chats.create(script_block(LOOK, step))
    seen, killed = Seen(), False
    async for event in chat.stream(until_rest=True):
        seen.take(event)
        if "word40 " in seen.words and not killed:
            killed = True
            await model.reached(name)
            await whole.kill(part, restart=True)
            model.release(name)
    assert killed
    assert seen.losses == (part == "api")
    await seen.hold_against(chat)
    assert (await chat.history())[-1].text == STORY


async def test_a_reader_that_has_seen_messages_is_not_told_them_again(perdure: Perdure) -> None:
    chat = await perdure.chats.create(script_block({"text": "one"}))
    await chat.wait()
    known = (await chat.history())[-1].id
    await chat.ask(script_block({"text": "two"}))
    events = [event async for event in chat.stream(after_id=known, until_rest=True)]
    new = [event.message.id for event in events if isinstance(event, MessageEvent)]
    assert new == [row.id for row in await chat.history()][2:]
