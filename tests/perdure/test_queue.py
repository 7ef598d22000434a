"""Messages that wait are taken out or moved forward, and those in history replaced."""

import asyncio
from uuid import uuid4

import pytest

from activities.providers.demo import DemoModel, script_block
from perdure.client import (
    BadRequest,
    Chat,
    HistoryResetEvent,
    MessageEvent,
    MessageWithdrawn,
    NotFound,
    Perdure,
    QueueEvent,
    StatusEvent,
)


def says(text: str) -> str:
    return script_block({"text": text})


async def busy(perdure: Perdure, model: DemoModel, name: str) -> Chat:
    """A chat whose model says one word and waits to be released."""
    step = {"text": "the first one", "hold": {"name": name, "after_pieces": 1}}
    chat = await perdure.chats.create(script_block(step))
    await model.reached(name)
    return chat


async def test_who_waits_for_the_answer_to_a_withdrawn_message_is_told(
    perdure: Perdure, model: DemoModel
) -> None:
    name = uuid4().hex
    chat = await busy(perdure, model, name)

    async def withdraw() -> None:
        async for event in chat.stream():
            if isinstance(event, QueueEvent) and event.queued_messages:
                await chat.delete_queued(event.queued_messages[0].id)
                return

    async with asyncio.TaskGroup() as group:
        group.create_task(withdraw())
        with pytest.raises(MessageWithdrawn):
            await chat.ask(says("never said"))
    assert await chat.queue() == []
    model.release(name)
    assert (await chat.wait()).text == "the first one"


async def test_a_promoted_message_is_answered_next(perdure: Perdure, model: DemoModel) -> None:
    chat = await busy(perdure, model, uuid4().hex)
    await chat.send(says("second"))
    last = await chat.send(says("third"))
    assert last.queued_message is not None
    await chat.promote(last.queued_message.id)
    await chat.wait()
    said = [row.text.strip() for row in await chat.history() if row.role == "assistant"]
    assert said[-2:] == ["third", "second"]


async def test_an_unknown_message_of_the_queue_is_not_found(perdure: Perdure, model: DemoModel) -> None:
    name = uuid4().hex
    chat = await busy(perdure, model, name)
    await chat.send(says("second"))
    for act in (chat.delete_queued, chat.promote):
        with pytest.raises(NotFound):
            await act(1 << 40)
    model.release(name)
    await chat.wait()


async def test_an_edited_message_is_answered_anew_and_readers_forget_the_rest(perdure: Perdure) -> None:
    chat = await perdure.chats.create(says("one"))
    await chat.wait()
    await chat.ask(says("two"))
    before = await chat.history()
    rows: dict[int, str] = {}
    edited, resets = False, 0
    async for event in chat.stream():
        match event:
            case HistoryResetEvent():
                rows.clear()
                resets += 1
            case MessageEvent(message=message):
                rows[message.id] = message.role
            case StatusEvent(status=state) if state.status == "waiting" and edited:
                break
            case StatusEvent(status=state) if state.status == "waiting":
                answer = await chat.edit_message(before[2].id, says("three"))
                assert answer.deleted_message_ids == [row.id for row in before[2:]]
                edited = True
            case _:
                pass
    after = await chat.history()
    assert (resets, list(rows)) == (1, [row.id for row in after])
    assert [row.text for row in after if row.role == "assistant"] == ["one", "three"]
    with pytest.raises(BadRequest):
        await chat.edit_message(after[-1].id, says("not mine"))
