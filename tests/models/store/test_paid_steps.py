"""Steps that are paid for: entered into the books as they are committed, once, also when they are late."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text

from models.chat_state import StateName
from models.spending import Bill, PaidCall, SpendingState, SpentOn
from models.store import steps
from models.store.bundle import Bundle
from models.store.costs import Aside, keep_aside
from models.store.naming import keep_title
from models.store.reading import transaction
from models.store.spending import Hold, reserve
from models.store.steps import Answer, Begun
from models.store.tables import messages
from models.turns import ModelCall, StepEnd
from tests.models.store.books import Books
from tests.models.store.rows import ChatRows

USAGE = {"input_tokens": 5, "output_tokens": 2}


@pytest.fixture
async def books(chat: ChatRows) -> Books:
    await chat.write(StateName.R0, open_calls=False)
    return Books(chat.engine, chat)


def second_step(books: Books) -> ModelCall:
    return ModelCall(chat_id=books.chat.chat, turn=3, step=2)


async def begun(books: Books) -> Begun:
    attempt = await steps.begin_attempt(books.engine, second_step(books))
    assert isinstance(attempt, Begun)
    return attempt


def paid_answer(books: Books, *, held: bool = False, micros: int = 40) -> Answer:
    call = PaidCall(SpentOn.STEP, "demo", "perdure-demo", books.chat.model, 3, 2)
    bill = Bill(books.payer, call, USAGE, micros, held=held)
    return Answer([{"type": "text", "text": "hello"}], [], books.chat.model, usage=USAGE, bill=bill)


def id_of(answer: Answer) -> PaidCall:
    assert answer.bill is not None
    return answer.bill.call


async def costs_in_history(books: Books) -> list[Any]:
    async with books.engine.connect() as conn:
        query = select(messages.c.cost_micros).where(messages.c.chat_id == books.chat.chat)
        return list((await conn.execute(query.order_by(messages.c.id))).scalars())


async def test_an_attempt_says_who_pays_and_whether_there_is_a_budget(books: Books):
    attempt = await begun(books)
    assert (attempt.payer, attempt.budgeted) == (books.payer, False)
    await books.limit(1000, chat=True)
    assert (await begun(books)).budgeted


async def test_an_answer_and_its_cost_are_committed_together(books: Books):
    await begun(books)
    outcome = await steps.commit_step(books.engine, second_step(books), paid_answer(books))
    assert outcome.end is StepEnd.COMMITTED
    assert await costs_in_history(books) == [40]
    (row,) = await books.rows()
    assert (row["state"], row["cost_micros"], row["turn"], row["step"]) == ("settled", 40, 3, 2)
    assert (row["input_tokens"], row["output_tokens"]) == (5, 2)


async def test_an_answer_that_is_committed_twice_is_paid_for_once(books: Books):
    pot = await books.limit(1000)
    answer = paid_answer(books)
    for _ in range(2):
        await steps.commit_step(books.engine, second_step(books), answer)
    assert await costs_in_history(books) == [40]
    assert await books.states() == [("settled", 40)]
    assert await books.figures(pot) == (40, 0)
    await books.check()


async def test_an_answer_that_comes_too_late_is_paid_for_and_not_kept(books: Books):
    pot = await books.limit(1000)
    first, second = paid_answer(books, micros=40), paid_answer(books, micros=50)
    await steps.commit_step(books.engine, second_step(books), first)
    await steps.commit_step(books.engine, second_step(books), second)
    assert await costs_in_history(books) == [40]
    assert sorted(await books.states()) == [("settled", 40), ("settled", 50)]
    assert await books.figures(pot) == (90, 0)


async def test_the_commit_of_a_step_settles_what_was_reserved_for_it(books: Books):
    pot = await books.limit(1000)
    answer = paid_answer(books, held=True)
    assert await reserve(books.engine, books.payer, id_of(answer), 300) == Hold(300)
    await steps.commit_step(books.engine, second_step(books), answer)
    assert await books.figures(pot) == (40, 0)
    assert await books.states() == [("settled", 40)]
    await books.check()


async def test_an_assumed_cost_is_in_the_books_and_not_on_the_message(books: Books):
    pot = await books.limit(1000)
    answer = paid_answer(books, held=True)
    assert answer.bill is not None
    await reserve(books.engine, books.payer, answer.bill.call, 300)
    assumed = replace(answer.bill, usage=None, cost_micros=300, state=SpendingState.ASSUMED)
    cut = replace(answer, usage=None, bill=assumed)
    outcome = await steps.commit_step(books.engine, second_step(books), cut, interrupted=True)
    assert outcome.end is StepEnd.INTERRUPTED
    assert await costs_in_history(books) == [None]
    assert await books.figures(pot) == (300, 0)


async def test_a_call_beside_the_conversation_is_kept_and_counted_once(books: Books):
    pot = await books.limit(1000)
    bill = Bill(books.payer, PaidCall(SpentOn.SUMMARY, "demo", "m", books.chat.model, 3, 1), USAGE, 7)
    for _ in range(2):
        await keep_aside(books.engine, Aside(bill, 12, "msg_1"), turn=3)
    assert await costs_in_history(books) == [7]
    assert await books.figures(pot) == (7, 0)
    assert await books.chat.texts() == [], "nobody is shown it"


async def test_one_whose_usage_was_not_told_is_kept_once_without_a_cost_and_counts_with_its_worst_case(
    books: Books,
):
    pot = await books.limit(1000)
    call = PaidCall(SpentOn.SUMMARY, "demo", "m", books.chat.model, 3, 1)
    assert await reserve(books.engine, books.payer, call, 300) == Hold(300)
    bill = Bill(books.payer, call, {}, 300, SpendingState.ASSUMED, held=True)
    for _ in range(2):
        await keep_aside(books.engine, Aside(bill, 12, "msg_1"), turn=3)
    assert await costs_in_history(books) == [None]
    assert await books.figures(pot) == (300, 0)
    await books.check()


async def test_a_title_and_a_step_that_are_paid_for_at_once_do_not_block_each_other(books: Books):
    pot = await books.limit(1000)
    before = await books.chat.row()
    name = PaidCall(SpentOn.TITLE, "demo", "m", books.chat.model, 3, 0)
    answer = paid_answer(books, held=True)
    for call in (name, id_of(answer)):
        assert await reserve(books.engine, books.payer, call, 300) == Hold(300)
    aside = Aside(Bill(books.payer, name, USAGE, 7, held=True), 12, None)
    async with transaction(books.engine) as conn:
        bundle = await Bundle.open(conn, books.chat.chat)
        naming = asyncio.create_task(
            keep_title(books.engine, books.chat.chat, before["title"], "Found", aside)
        )
        await _until_somebody_waits_for(books, "UPDATE chats")
        bundle.charge(answer.bill)
        await bundle.close()
    assert await naming
    assert await books.figures(pot) == (47, 0)
    await books.check()


async def _until_somebody_waits_for(books: Books, statement: str) -> None:
    waiting = text(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE :query"
        " AND datname = current_database()"
    )
    async with asyncio.timeout(20), books.engine.connect() as conn:
        while (await conn.execute(waiting, {"query": f"{statement}%"})).first() is None:
            pass
