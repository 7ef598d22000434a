"""A message that interrupts stops the turn before it, never its own, however late it is delivered again."""

from collections.abc import AsyncGenerator
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.transitions import Transitions
from models.chat_state import StateName
from models.store.bundle import read_state
from models.stream import STOP_CHANNEL, Stop
from models.turns import BusyBehavior, Commit, Receipt, Verdict, Write
from tests.activities.bench import Bench
from workflows.chat.events import Event, MessageSent, StepStopped
from workflows.chat.machine import decide


async def deliver(bench: Bench, event: Event, command_id: str) -> tuple[Write, Receipt]:
    """Have what an event asks for in the chat's present state written."""
    write = decide(await read_state(bench.chat.engine, bench.chat.chat), event)
    commit = Commit(chat_id=bench.chat.chat, command_id=command_id, write=write)
    transitions = Transitions(bench.chat.engine, bench.live)
    receipt = await ActivityEnvironment().run(transitions.commit_transition, commit)
    await bench.live.drain()
    return write, receipt


async def test_delivered_again_in_its_own_turn_it_stops_nothing(bench: Bench):
    await bench.begin("first")
    chat = bench.chat.chat
    message = MessageSent(await bench.chat.draft("second"), BusyBehavior.INTERRUPT)
    redis: Any = bench.redis
    async with redis.pubsub(ignore_subscribe_messages=True) as orders:
        await orders.subscribe(STOP_CHANNEL)
        write, receipt = await deliver(bench, message, "message")
        assert receipt.stops(write)
        write, receipt = await deliver(bench, StepStopped(), "stopped")
        assert (receipt.state.name, receipt.state.turn) == (StateName.R0, 4)
        write, receipt = await deliver(bench, message, "message again")
        assert write.stop_turn
        assert (receipt.verdict, receipt.state.name) == (Verdict.APPLIED, StateName.R0)
        assert not receipt.stops(write)
        await redis.publish(STOP_CHANNEL, Stop(chat, 99).encode())  # behind all that were given
        given = [order async for order in orders_until(orders, Stop(chat, 99)) if order.chat_id == chat]
    assert given == [Stop(chat, 3)]


async def orders_until(orders: Any, last: Stop) -> AsyncGenerator[Stop]:
    """The orders that come before one."""
    while True:
        message: dict[str, bytes] | None = await orders.get_message(timeout=10)
        if message is not None:
            order = Stop.decode(message["data"])
            if order == last:
                return
            yield order
