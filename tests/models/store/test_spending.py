"""The books on real rows: no pot is overshot, nothing is counted twice, nothing stays reserved for ever."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from sqlalchemy import literal, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from models.chat_state import StateName
from models.spending import BEGINNING, Bill, BudgetScope, Payer, Period, Refused, SpendingState
from models.store.audit import Change
from models.store.budgets import Limit, NoSuchPot, remove_budget, set_budget
from models.store.reading import reading, transaction
from models.store.spending import Hold, assume_older, read_exhausted, reserve, settle, start_of_period
from models.store.tables import budgets, spendings
from tests.models.store.books import Books, bill_of, step_call
from tests.models.store.rows import ChatRows, new_chat


@pytest.fixture
async def books(chat: ChatRows) -> Books:
    await chat.write(StateName.R0)
    return Books(chat.engine, chat)


async def test_without_a_budget_nothing_is_reserved_and_calls_are_booked_all_the_same(books: Books):
    call = step_call()
    assert await reserve(books.engine, books.payer, call, 100) is None
    assert await books.rows() == []
    await settle(books.engine, bill_of(books.payer, call, 40))
    (row,) = await books.rows()
    assert (row["state"], row["cost_micros"], row["input_tokens"], row["output_tokens"]) == (
        "settled",
        40,
        10,
        2,
    )


async def test_a_call_is_reserved_in_all_its_pots_and_settled_with_what_it_has_cost(books: Books):
    pots = [await books.limit(1000), await books.limit(900, user=True), await books.limit(800, chat=True)]
    call = step_call()
    assert await reserve(books.engine, books.payer, call, 300) == Hold(300)
    assert [await books.figures(pot) for pot in pots] == [(0, 300)] * 3
    await settle(books.engine, bill_of(books.payer, call, 120))
    assert [await books.figures(pot) for pot in pots] == [(120, 0)] * 3
    await books.check()


async def test_the_narrowest_pot_that_is_too_small_refuses_and_nothing_is_reserved(books: Books):
    organization = await books.limit(1000)
    await books.limit(200, user=True)
    await books.limit(100, chat=True)
    refused = await reserve(books.engine, books.payer, step_call(), 250)
    assert isinstance(refused, Refused)
    assert (refused.pot.scope, refused.pot.limit_micros, refused.needed_micros) == (
        BudgetScope.CHAT,
        100,
        250,
    )
    refused = await reserve(books.engine, books.another_chat(), step_call(), 250)
    assert isinstance(refused, Refused)
    assert refused.pot.scope is BudgetScope.USER
    assert await books.figures(organization) == (0, 0)
    assert await books.rows() == []


async def test_a_model_without_a_price_is_refused_where_there_is_a_budget(books: Books):
    await books.limit(1000)
    refused = await reserve(books.engine, books.payer, step_call(), None)
    assert isinstance(refused, Refused)
    assert refused.needed_micros is None
    assert refused.failure("demo").kind == "config"


async def test_a_pot_is_emptied_to_the_last_micro_and_not_beyond(books: Books):
    pot = await books.limit(100)
    assert await books.make_call(books.payer, 100, 100)
    assert await books.figures(pot) == (100, 0)
    assert not await books.make_call(books.payer, 1, 1)
    assert await books.make_call(books.payer, 0, 0)


async def test_twenty_chats_at_once_never_overshoot_the_pots_they_share(books: Books):
    await books.limit(1000)
    await books.limit(700, Period.DAY)
    await books.limit(600, Period.MONTH, user=True)

    async def talk(payer: Payer) -> int:
        return sum([await books.make_call(payer, 100, 30) for _ in range(4)])

    talking = asyncio.gather(*(talk(books.another_chat()) for _ in range(20)))
    while not talking.done():
        await books.check()
    made = sum(await talking)
    await books.check()
    while await books.make_call(books.payer, 100, 30):  # what others had reserved is there again
        made += 1
    spent = (await books.pots())["user month"].pot
    assert (spent.consumed_micros, spent.reserved_micros) == (made * 30, 0)
    assert spent.consumed_micros + 100 > 600 >= spent.consumed_micros


async def test_calls_that_lock_pots_of_each_other_do_not_block_each_other_for_ever(engine: AsyncEngine):
    chats = [await new_chat(engine) for _ in range(2)]
    first = Books(engine, chats[0])
    await first.chat.write(StateName.R0)
    for period in (Period.DAY, Period.MONTH, Period.TOTAL):
        await first.limit(10**9, period)
        await first.limit(10**9, period, user=True)
    await first.limit(10**9, chat=True)
    payers = [first.payer, first.another_chat(), first.another_chat()]
    made = await asyncio.gather(*(first.make_call(payers[n % 3], 10, n) for n in range(60)))
    assert all(made)
    await first.check()


async def test_the_next_attempt_takes_the_place_of_a_lost_one_whose_worst_case_stays_spent(books: Books):
    pot = await books.limit(1000)
    lost, redone = step_call(), step_call()
    await reserve(books.engine, books.payer, lost, 300)
    assert isinstance(await reserve(books.engine, books.payer, redone, 300), Hold)
    assert await books.figures(pot) == (300, 300)
    assert await books.states() == [("assumed", 300), ("reserved", None)]
    await settle(books.engine, bill_of(books.payer, redone, 50))
    assert await books.figures(pot) == (350, 0)
    await books.check()


async def test_another_step_leaves_what_is_reserved_alone(books: Books):
    pot = await books.limit(1000)
    await reserve(books.engine, books.payer, step_call(step=1), 300)
    await reserve(books.engine, books.payer, step_call(step=2), 300)
    await reserve(books.engine, books.another_chat(), step_call(step=1), 300)
    assert await books.figures(pot) == (0, 900)


async def test_a_lost_call_that_comes_back_is_settled_with_what_it_has_cost(books: Books):
    pot = await books.limit(1000)
    slow, redone = step_call(), step_call()
    await reserve(books.engine, books.payer, slow, 300)
    await reserve(books.engine, books.payer, redone, 300)
    await settle(books.engine, bill_of(books.payer, slow, 70))
    await settle(books.engine, bill_of(books.payer, redone, 80))
    assert await books.figures(pot) == (150, 0)
    assert sorted(await books.states()) == [("settled", 70), ("settled", 80)]


@pytest.mark.parametrize("held", [True, False])
async def test_a_bill_that_comes_twice_counts_once(books: Books, held: bool):
    pot = await books.limit(1000)
    call = step_call()
    if held:
        await reserve(books.engine, books.payer, call, 300)
    for _ in range(2):
        await settle(books.engine, bill_of(books.payer, call, 50))
    assert await books.figures(pot) == (50, 0)
    assert await books.states() == [("settled", 50)]


async def test_a_call_that_cost_nothing_is_released(books: Books):
    pot = await books.limit(1000)
    call = step_call()
    await reserve(books.engine, books.payer, call, 300)
    released = Bill(books.payer, call, None, None, None)
    for _ in range(2):
        await settle(books.engine, released)
    assert await books.figures(pot) == (0, 0)
    assert await books.rows() == []


async def test_a_call_that_was_cut_off_counts_with_its_worst_case(books: Books):
    pot = await books.limit(1000)
    call = step_call()
    await reserve(books.engine, books.payer, call, 300)
    await settle(books.engine, Bill(books.payer, call, None, 300, SpendingState.ASSUMED))
    assert await books.figures(pot) == (300, 0)
    assert await books.states() == [("assumed", 300)]
    await books.check()


async def test_what_nobody_tells_of_any_more_is_not_reserved_for_ever(books: Books):
    pot = await books.limit(1000)
    old, new = step_call(step=1), step_call(step=2)
    await reserve(books.engine, books.payer, old, 300)
    await reserve(books.engine, books.payer, new, 200)
    async with books.engine.begin() as conn:
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        await conn.execute(update(spendings).where(spendings.c.id == old.id).values(created_at=hour_ago))
    async with transaction(books.engine) as conn:
        assert await assume_older(conn, 1800) >= 1
    assert await books.figures(pot) == (300, 200)
    assert await books.states() == [("assumed", 300), ("reserved", None)]


@pytest.mark.parametrize("period", [Period.DAY, Period.MONTH])
async def test_a_new_period_begins_with_a_full_pot(books: Books, period: Period):
    pot = await books.limit(100, period)
    lifelong = await books.limit(1000)
    call = step_call()
    await reserve(books.engine, books.payer, call, 60)
    earlier = datetime.now(UTC) - timedelta(days=40)
    async with books.engine.begin() as conn:
        mine = budgets.c.id == pot
        await conn.execute(update(budgets).where(mine).values(period_start=start_of_period(literal(earlier))))
        await conn.execute(update(spendings).where(spendings.c.id == call.id).values(created_at=earlier))
    assert await books.figures(pot) == (0, 0)
    assert await books.make_call(books.another_chat(), 100, 90)
    assert await books.figures(pot) == (90, 0)
    # what was begun in the period before is settled there
    await settle(books.engine, bill_of(books.payer, call, 60))
    assert await books.figures(pot) == (90, 0)
    assert await books.figures(lifelong) == (150, 0)


async def test_a_budget_begins_with_what_was_spent_and_is_under_way(books: Books):
    await settle(books.engine, bill_of(books.payer, step_call(), 40))
    await settle(books.engine, bill_of(books.another_chat(), step_call(), 7))
    await books.limit(1000)
    await reserve(books.engine, books.payer, step_call(step=2), 100)
    assert await books.figures(await books.limit(1000, user=True)) == (47, 100)
    assert await books.figures(await books.limit(1000, chat=True)) == (40, 100)
    await books.check()


async def test_a_budget_that_is_made_in_the_midst_of_calls_misses_none(books: Books):
    async def pay(number: int) -> None:
        await settle(books.engine, bill_of(books.another_chat(), step_call(), number))

    paying = asyncio.gather(*(pay(number) for number in range(60)))
    made = [await books.limit(10**6, period) for period in Period]
    await paying
    assert [await books.figures(pot) for pot in made] == [(sum(range(60)), 0)] * 3
    await books.check()


async def test_another_limit_keeps_what_was_spent(books: Books):
    pot = await books.limit(100)
    await books.make_call(books.payer, 100, 80)
    assert await books.limit(500) == pot
    assert await books.figures(pot) == (80, 0)
    assert await books.make_call(books.payer, 400, 1)


async def test_a_pot_that_is_used_up_is_told_of_with_its_figures(books: Books):
    await books.limit(1000)
    await books.limit(100, chat=True)
    async with reading(books.engine) as conn:
        assert await read_exhausted(conn, books.payer) is None
    await books.make_call(books.payer, 100, 100)
    async with reading(books.engine) as conn:
        pot = await read_exhausted(conn, books.payer)
        assert pot is not None
        assert (pot.scope, pot.limit_micros, pot.consumed_micros) == (BudgetScope.CHAT, 100, 100)
        assert await read_exhausted(conn, books.another_chat()) is None


async def test_the_pot_of_a_user_holds_for_calls_that_belong_to_no_chat(books: Books):
    pot = await books.limit(100, user=True)
    outside = Payer(books.chat.organization, books.chat.owner)
    assert await books.make_call(outside, 80, 60)
    assert await books.figures(pot) == (60, 0)
    assert not await books.make_call(outside, 80, 60)


async def test_pots_of_one_organization_are_nothing_to_another(books: Books, engine: AsyncEngine):
    await books.limit(0)
    stranger = await new_chat(engine)
    payer = Payer(stranger.organization, stranger.owner, stranger.chat, stranger.chat)
    assert await reserve(engine, payer, step_call(), 100) is None
    for wanted in (
        Limit(Period.TOTAL, 1, user_id=books.chat.owner),
        Limit(Period.TOTAL, 1, chat_id=books.chat.chat),
    ):
        with pytest.raises(NoSuchPot):
            await set_budget(engine, stranger.organization, wanted, None)


async def test_a_removed_budget_limits_nothing_and_calls_under_way_are_settled(books: Books):
    pot = await books.limit(100)
    call = step_call()
    await reserve(books.engine, books.payer, call, 100)
    change = Change(None, "test", "delete", "budget", str(pot))
    assert not await remove_budget(books.engine, uuid4(), pot, change)
    assert await remove_budget(books.engine, books.chat.organization, pot, change)
    await settle(books.engine, bill_of(books.payer, call, 5))
    assert await books.states() == [("settled", 5)]
    assert await reserve(books.engine, books.payer, step_call(), 10**6) is None


async def test_days_and_months_are_those_of_utc(books: Books):
    last = datetime(2026, 3, 31, 23, 59, 59, 999999, tzinfo=UTC)
    first = datetime(2026, 3, 31, 15, tzinfo=timezone(timedelta(hours=-9)))
    begins = {
        Period.DAY: [datetime(2026, 3, 31, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)],
        Period.MONTH: [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)],
        Period.TOTAL: [BEGINNING, BEGINNING],
    }
    for period, starts in begins.items():
        budget = await books.limit(1, period)
        moments = [start_of_period(literal(moment)) for moment in (last, first)]
        async with reading(books.engine) as conn:
            found = (await conn.execute(select(*moments).where(budgets.c.id == budget))).one()
        assert list(found) == starts
