"""Commands that meet: one order of them, one answer each, and a chat that keeps its promises."""

import asyncio
from collections import Counter

import httpx2

from activities.providers.demo import DemoModel
from tests.durable.caller import Caller, text_of
from tests.durable.saying import WORDS, held, says

QUEUE_LIMIT = 20


def statuses(answers: list[httpx2.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def test_of_ten_interrupts_at_once_one_is_accepted(caller: Caller, model: DemoModel):
    chat = await caller.create(held("ten-interrupts"))
    reader = caller.read(chat)
    await model.reached("ten-interrupts")
    answers = await asyncio.gather(*(caller.interrupt(chat) for _ in range(10)))
    assert statuses(answers) == {200: 1, 409: 9}
    await reader.rested()
    (answer,) = reader.answers()
    await caller.agree(reader, chat, [held("ten-interrupts")], [text_of(answer)])


async def test_a_full_queue_refuses_and_what_it_took_is_answered_in_its_order(
    caller: Caller, model: DemoModel
):
    chat = await caller.create(held("full-queue"))
    reader = caller.read(chat)
    await model.reached("full-queue")
    words = [f"word{number}" for number in range(25)]
    answers = await asyncio.gather(*(caller.try_to_send(chat, says(word)) for word in words))
    assert statuses(answers) == {200: QUEUE_LIMIT, 429: 5}
    places = {
        word: answer.json()["queued_message"]["id"]
        for word, answer in zip(words, answers, strict=True)
        if answer.status_code == 200
    }
    in_order = sorted(places, key=lambda word: places[word])
    model.release("full-queue")
    await reader.rested(1 + QUEUE_LIMIT)
    said = [held("full-queue"), *map(says, in_order)]
    await caller.agree(reader, chat, said, [WORDS, *in_order])


async def test_a_repeated_key_is_one_message_however_many_ask_at_once(caller: Caller):
    chat = await caller.create(says("before"))
    reader = caller.read(chat)
    await reader.rested()
    sent = await asyncio.gather(*(caller.send(chat, says("once"), key="the-one") for _ in range(10)))
    assert all(answer == sent[0] for answer in sent)
    await reader.rested(2)
    await caller.agree(reader, chat, [says("before"), says("once")], ["before", "once"])


async def test_a_repeated_key_is_one_message_in_the_queue_of_a_busy_chat(caller: Caller, model: DemoModel):
    chat = await caller.create(held("busy-key"))
    reader = caller.read(chat)
    await model.reached("busy-key")
    sent = await asyncio.gather(*(caller.send(chat, says("once"), key="the-one") for _ in range(10)))
    assert all(answer == sent[0] for answer in sent)
    model.release("busy-key")
    await reader.rested(2)
    await caller.agree(reader, chat, [held("busy-key"), says("once")], [WORDS, "once"])


async def test_an_interrupt_that_meets_the_end_of_its_turn_is_accepted_or_refused(
    caller: Caller, model: DemoModel
):
    async def race(name: str, pause: float) -> int:
        hold = f"end-{name}"
        chat = await caller.create(held(hold, after_pieces=99))
        reader = caller.read(chat)
        await model.reached(hold)
        interrupting = asyncio.create_task(caller.interrupt(chat))
        await asyncio.sleep(pause)  # no event tells that the command is about to arrive
        model.release(hold)
        answer = await interrupting
        assert answer.status_code in (200, 409)
        await reader.rested()
        (kept,) = reader.answers()
        assert WORDS.startswith(text_of(kept))
        await caller.send(chat, says("next"))
        await reader.rested(2)
        await caller.agree(reader, chat, [held(hold, after_pieces=99), says("next")], [text_of(kept), "next"])
        return answer.status_code

    seen: set[int] = set()
    for attempt in range(10):
        pauses = [number * 0.004 * (1 + attempt) for number in range(10)]
        seen.update(await asyncio.gather(*(race(f"{attempt}-{pause}", pause) for pause in pauses)))
        if attempt >= 2 and len(seen) == 2:
            return
    raise AssertionError(f"only one order was met: {seen}")


async def test_archiving_and_sending_at_once_happen_in_one_of_two_orders(caller: Caller):
    async def race(pause: float) -> str:
        chat = await caller.create(says("before"))
        reader = caller.read(chat)
        await reader.rested()
        sending = asyncio.create_task(caller.try_to_send(chat, says("after")))
        await asyncio.sleep(pause)  # a message has the longer way: it is stored first
        archived = await caller.set_archived(chat, True)
        sent = await sending
        said, answers = [says("before")], ["before"]
        if sent.status_code == 200:
            said, answers = [*said, says("after")], [*answers, "after"]
        await reader.rested(len(answers))
        await caller.agree(reader, chat, said, answers)
        stored = (await caller.http.get(f"{caller.url}/{chat}")).json()
        match archived.status_code, sent.status_code:
            case 204, 400 | 409:
                assert stored["archived"] is True
                return "archived first"
            case 409, 200:
                assert stored["archived"] is False
                return "sent first"
            case 204, 200:  # the turn was over when the archiving came
                assert stored["archived"] is True
                return "both"
            case other:
                raise AssertionError(other)

    seen: set[str] = set()
    for attempt in range(10):
        pauses = [number * 0.004 * (1 + attempt) for number in range(5)]
        seen.update(await asyncio.gather(*map(race, pauses)))
        if attempt >= 2 and {"archived first", "sent first"} <= seen:
            return
    raise AssertionError(f"only one order was met: {seen}")


async def test_a_message_that_interrupts_comes_after_what_was_said_until_then(
    caller: Caller, model: DemoModel
):
    chat = await caller.create(held("overruled"))
    reader = caller.read(chat)
    await model.reached("overruled")
    await reader.until(lambda r: "three" in r.preview)
    seen = reader.preview
    sent = await caller.send(chat, says("instead"), busy="interrupt")
    assert sent["queued"] is True
    await reader.rested(2)
    partial = text_of(reader.answers()[0])
    assert WORDS.startswith(partial)
    assert partial.startswith(seen)
    await caller.agree(reader, chat, [held("overruled"), says("instead")], [partial, "instead"])
