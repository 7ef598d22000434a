"""Where a turn ends that the model would go on with."""

from uuid import UUID, uuid4

from sqlalchemy import update

from activities.providers.demo import DemoModel, script_block
from models.store.tables import chats
from tests.durable.caller import Caller, text_of
from tests.durable.rows import Rows
from workflows.chat.machine import MAX_STEPS_PER_TURN

CLOCK = {"name": "current_time", "input": {"timezone": "UTC"}}


async def test_the_last_step_of_a_turn_ends_it_without_an_error_and_what_waits_is_answered(
    caller: Caller, model: DemoModel, rows: Rows
):
    hold = f"last {uuid4()}"
    step = {"text": "one two", "pieces": 2, "hold": {"name": hold, "after_pieces": 1}, "tools": [CLOCK]}
    said = f"{script_block(step, {'text': 'Never said.'})} {uuid4()}"
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached(hold)
    # as after so many steps: what the turn has done so far does not count, its number of steps does
    late = update(chats).where(chats.c.id == UUID(chat))
    async with rows.engine.begin() as conn:
        await conn.execute(
            late.values(step=MAX_STEPS_PER_TURN - 1, snapshot_version=chats.c.snapshot_version + 1)
        )
    queued = f"{script_block({'text': 'Queued.'})} {uuid4()}"
    await caller.send(chat, queued)
    model.release(hold)
    await reader.rested(2)
    assert [text_of(answer) for answer in reader.answers()] == ["one two", "Queued."]
    roles = [message["role"] for message in await caller.messages(chat)]
    assert roles == ["user", "assistant", "tool", "user", "assistant"]
    assert [event for event in reader.seen if event["type"] == "error"] == []
    ended = "SELECT step, turn_ended FROM chats WHERE id = :chat"
    (row,) = await rows.ask(
        "SELECT max(step) AS step FROM messages WHERE chat_id = :chat AND turn = 1", chat=chat
    )
    assert row.step == MAX_STEPS_PER_TURN
    (now,) = await rows.ask(ended, chat=chat)
    assert (now.step, now.turn_ended) == (1, True)
    await caller.agree(reader, chat, [said, queued], ["one two", "Queued."])
