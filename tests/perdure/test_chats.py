"""Programs hold conversations: made, asked, stopped, listed, and refused with errors that have types."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from perdure.client import (
    BadRequest,
    Chat,
    Conflict,
    KeyReused,
    NotAuthenticated,
    NotFound,
    PartEvent,
    Perdure,
    QueueEvent,
    RateLimited,
    StatusEvent,
    TurnFailed,
)

NOBODY = "00000000-0000-4000-8000-000000000000"


def says(text: str, *, hold: str | None = None) -> str:
    step: dict[str, object] = {"text": text}
    if hold:
        step["hold"] = {"name": hold, "after_pieces": 1}
    return script_block(step)


@pytest.fixture
async def chat(perdure: Perdure) -> Chat:
    """A chat at rest."""
    chat = await perdure.chats.create(says("hello"))
    assert (await chat.wait()).text == "hello"
    return chat


async def busy(perdure: Perdure, model: DemoModel, name: str, text: str = "the first one") -> Chat:
    """A chat whose model says one word and waits to be released."""
    chat = await perdure.chats.create(says(text, hold=name))
    await model.reached(name)
    return chat


async def test_a_chat_is_made_streamed_and_asked_again(perdure: Perdure) -> None:
    chat = await perdure.chats.create(says("one two three"), labels={"project": "atlas"})
    streamed = "".join([e.text async for e in chat.stream(until_rest=True) if isinstance(e, PartEvent)])
    assert streamed == "one two three"
    answer = await chat.ask(says("four"))
    assert (answer.text, answer.interrupted) == ("four", False)
    assert answer.message is not None
    assert [m.id for m in await chat.history()][-1] == answer.message.id
    info = await chat.info()
    assert (info.status, info.labels) == ("waiting", {"project": "atlas"})


async def test_an_answer_of_several_steps_is_the_last_word(perdure: Perdure) -> None:
    look: dict[str, Any] = {"text": "let me look", "tools": [{"name": "current_time", "input": {}}]}
    chat = await perdure.chats.create(script_block(look, {"text": "it is noon"}))
    assert (await chat.wait()).text == "it is noon"
    assert [message.role for message in await chat.history()] == ["user", "assistant", "tool", "assistant"]


async def test_who_asks_a_busy_chat_gets_the_answer_to_what_was_asked(
    perdure: Perdure, model: DemoModel
) -> None:
    name = uuid4().hex
    chat = await busy(perdure, model, name)
    async with asyncio.TaskGroup() as group:
        second = group.create_task(chat.ask(says("the second one")))
        third = group.create_task(chat.ask(says("the third one")))
        async for event in chat.stream():
            if isinstance(event, QueueEvent) and len(event.queued_messages) == 2:
                break
        model.release(name)
    assert {second.result().text, third.result().text} == {"the second one", "the third one"}
    assert second.result().text == "the second one"
    assert (await chat.wait()).text in ("the second one", "the third one")


async def test_a_failed_turn_is_an_error_with_its_reason(perdure: Perdure, chat: Chat) -> None:
    fault = {"kind": "status", "status": 401, "message": "no such key"}
    with pytest.raises(TurnFailed) as failed:
        await chat.ask(script_block({"fault": [fault] * 5}))
    assert failed.value.failure.kind == "auth"
    with pytest.raises(TurnFailed):
        await chat.wait()
    assert (await chat.ask(says("well again"))).text == "well again"


async def test_a_stopped_answer_is_what_was_said(perdure: Perdure, model: DemoModel) -> None:
    name = uuid4().hex
    chat = await busy(perdure, model, name, "cut here")
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(chat.wait())
        async for event in chat.stream():
            if isinstance(event, PartEvent):
                assert (await chat.interrupt()).status == "interrupting"
                break
    assert waiting.result().text.strip() == "cut"
    with pytest.raises(Conflict):
        await chat.interrupt()


async def test_a_message_can_interrupt(perdure: Perdure, model: DemoModel) -> None:
    chat = await busy(perdure, model, uuid4().hex)
    answer = await chat.ask(says("now this"), busy_behavior="interrupt")
    assert (answer.text, answer.interrupted) == ("now this", False)


async def test_an_answer_can_be_given_up_while_the_turn_goes_on(perdure: Perdure, model: DemoModel) -> None:
    name = uuid4().hex
    chat = await busy(perdure, model, name)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await chat.wait()
    model.release(name)
    assert (await chat.wait()).text == "the first one"


async def test_a_conversation_is_compacted_and_cleared(chat: Chat) -> None:
    assert (await chat.compact()).status == "running"
    await chat.wait()
    await chat.ask(says("more"))
    assert (await chat.clear()).status == "waiting"
    with pytest.raises(Conflict):
        await chat.clear()


async def test_history_is_read_in_both_directions(chat: Chat) -> None:
    await chat.ask(says("again"))
    rows = await chat.history()
    assert [row.role for row in rows] == ["user", "assistant", "user", "assistant"]
    assert [row async for row in chat.messages()] == rows[::-1]
    assert [row async for row in chat.messages(after_id=rows[1].id)] == rows[2:]
    page = await chat.page(limit=1)
    assert (page.messages, page.has_more) == (rows[-1:], True)


async def test_chats_are_found_by_label_and_title_page_by_page(perdure: Perdure) -> None:
    label = {"run": uuid4().hex}
    made = [await perdure.chats.create(says("ok"), labels=label) for _ in range(3)]
    for chat in made:  # their places in the list change until then
        await chat.wait()
    await made[0].patch(title="Quite another title")
    found = [one.id async for one in perdure.chats.list(labels=label)]
    assert sorted(found) == sorted(chat.id for chat in made)
    assert [chat.id async for chat in perdure.chats.list(labels=label, limit=2)] == found[:2]
    titled = [chat.id async for chat in perdure.chats.list(query="title:another", labels=label)]
    assert titled == [made[0].id]
    await made[0].patch(archived=True)
    assert [c.id async for c in perdure.chats.list(labels=label, archived=True)] == [made[0].id]


async def test_a_repeated_key_finds_what_was_made_first(perdure: Perdure) -> None:
    key = uuid4().hex
    first = await perdure.chats.create(says("once"), key=key)
    assert (await perdure.chats.create(says("once"), key=key)).id == first.id
    with pytest.raises(KeyReused):
        await perdure.chats.create(says("twice"), key=key)
    await first.wait()
    sent = await first.send(says("more"), key="more")
    assert await first.send(says("more"), key="more") == sent


async def test_refusals_have_types(whole: Stack, perdure: Perdure, chat: Chat) -> None:
    with pytest.raises(NotFound) as unknown:
        await perdure.chats.get(NOBODY)
    assert unknown.value.request_id
    with pytest.raises(NotFound):
        await anext(perdure.chats.open(NOBODY).stream())
    with pytest.raises(BadRequest) as empty:
        await chat.send("  ")
    assert empty.value.validations[0][0] == "content[0].text"
    with pytest.raises(NotFound):
        await perdure.chats.get("../../users/me")  # an id leads nowhere else
    async with Perdure(whole.api_url, "wrong") as stranger:
        with pytest.raises(NotAuthenticated):
            await stranger.me()


async def test_a_full_queue_is_told_at_once(perdure: Perdure, model: DemoModel) -> None:
    name = uuid4().hex
    chat = await busy(perdure, model, name)
    for number in range(20):
        assert (await chat.send(says(f"answer {number}"))).queued
    with pytest.raises(RateLimited):
        await chat.send("one too many")
    model.release(name)
    await chat.wait()


async def test_a_message_sent_while_the_worker_is_away_for_a_moment_enters_once(
    whole: Stack, perdure: Perdure, chat: Chat, another: AbstractAsyncContextManager[Perdure]
) -> None:
    told = asyncio.Event()
    async with Perdure.of(perdure.server, lambda text: told.set()) as patient:
        await whole.stop("worker")
        try:
            sending = asyncio.create_task(patient.chats.open(chat.id).send(says("at last")))
            await told.wait()  # 503: no worker has taken it in time
        finally:
            await whole.start("worker")
        await sending
    await chat.wait()
    assert [row.role for row in await chat.history()] == ["user", "assistant"] * 2


async def test_the_token_is_not_shown(perdure: Perdure) -> None:
    assert perdure.server.token not in repr(perdure.server)


async def test_the_status_is_told_to_every_reader(perdure: Perdure, chat: Chat) -> None:
    events = [event async for event in chat.stream(until_rest=True)]
    assert isinstance(events[-1], StatusEvent)
    assert events[-1].status.status == "waiting"
