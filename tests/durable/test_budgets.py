"""What turns cost, and budgets that hold: whole chats on a model with prices."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Body, Caller, Reader
from tests.durable.rows import Rows

PRICES = {
    "input_price_per_million_tokens": "1",
    "output_price_per_million_tokens": "2",
    "cache_read_price_per_million_tokens": "0.1",
}
TIME: Body = {"tools": [{"name": "current_time", "input": {}}]}
USAGE: Body = {"usage": {"input_tokens": 1000, "output_tokens": 100}}
COST = 1000 + 200
WORST = 60_000
"""More than any call here may cost, and less than ten of them."""


@dataclass
class Treasury:
    """Budgets that are gone when the test is."""

    caller: Caller
    organization: str
    user: str
    _set: list[str] = field(default_factory=list[str])

    async def limit(self, micros: int, **whose: str) -> str:
        body: Body = {"period": "total", "limit_micros": micros, **whose}
        answer = await self.caller.v2.put(f"/organizations/{self.organization}/budgets", json=body)
        assert answer.status_code == 200, answer.text
        self._set.append(answer.json()["id"])
        return answer.json()["id"]

    async def pot(self, budget: str) -> Body:
        found = (await self.caller.v2.get(f"/organizations/{self.organization}/budgets")).json()
        return next(one for one in found if one["id"] == budget)

    async def figures(self, budget: str) -> tuple[int, int]:
        pot = await self.pot(budget)
        return pot["consumed_micros"], pot["reserved_micros"]

    async def close(self) -> None:
        for budget in set(self._set):
            await self.caller.v2.delete(f"/organizations/{self.organization}/budgets/{budget}")


@pytest.fixture
async def treasury(caller: Caller, rows: Rows) -> AsyncGenerator[Treasury]:
    me = await rows.first_user()
    organization = str(me.organization_id)
    path = f"/organizations/{organization}/chats/models"
    (model,) = [one for one in (await caller.v2.get(path)).json()["models"] if one["is_default"]]
    before: Body = model.get("model_config") or {}
    priced: Body = {"model_config": {**before, "cost": PRICES, "max_output_tokens": 1000}}
    assert (await caller.v2.patch(f"{path}/{model['id']}", json=priced)).status_code == 200
    treasury = Treasury(caller, organization, str(me.id))
    yield treasury
    await treasury.close()
    await caller.v2.patch(f"{path}/{model['id']}", json={"model_config": before})


async def cost_of(caller: Caller, chat: str) -> tuple[int, int, int]:
    """Micros, requests, and those of them without a price."""
    cost = (await caller.http.get(f"{caller.url}/{chat}/cost")).json()
    return cost["total_cost_micros"], cost["request_count"], cost["unpriced_request_count"]


async def spent_on(rows: Rows, chat: str) -> list[Any]:
    return await rows.ask("SELECT * FROM spendings WHERE chat_id = :chat ORDER BY created_at", chat=chat)


async def failed(reader: Reader) -> None:
    await reader.until(lambda r: r.status == "error")


async def last_error(caller: Caller, chat: str) -> Body:
    return (await caller.http.get(f"{caller.url}/{chat}")).json()["last_error"]


async def test_the_cost_of_a_turn_is_on_its_rows_its_chat_and_in_its_usage(
    caller: Caller, rows: Rows, treasury: Treasury
):
    cached = {"usage": {"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 25}}
    chat = await caller.create(script_block({"text": "look", **TIME, **USAGE}, {"text": "noon", **cached}))
    await caller.read(chat).rested(2)
    stored = await rows.ask(
        "SELECT cost_micros FROM messages WHERE chat_id = :chat AND role = 'assistant' ORDER BY id", chat=chat
    )
    costs = [COST, 10 + 2 + 3]
    assert [row.cost_micros for row in stored] == costs
    assert await cost_of(caller, chat) == (sum(costs), 2, 0)
    spent = await spent_on(rows, chat)
    assert [(row.purpose, row.state, row.step, row.cost_micros) for row in spent] == [
        ("step", "settled", 1, costs[0]),
        ("step", "settled", 2, costs[1]),
    ]
    report = (await caller.v2.get("/chats/usage", params={"group_by": "model", "chat_id": chat})).json()
    (row,) = report["rows"]
    assert (row["provider"], row["model"]) == ("demo", "perdure-demo")
    assert row["requests"] == 2
    assert row["cost_micros"] == report["total"]["cost_micros"] == sum(costs)
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (1010, 25, 101)


async def test_a_summary_and_a_proposed_title_cost_something_too_and_nobody_sees_them(
    caller: Caller, rows: Rows, treasury: Treasury
):
    pot = await treasury.limit(10**9, user_id=treasury.user)
    before, _ = await treasury.figures(pot)
    name = {"tools": [{"name": "name_chat", "input": {"title": "Found it"}}], **USAGE}
    chat = await caller.create(script_block({"text": "hello", **USAGE}, aside={"name_chat": name}))
    reader = caller.read(chat)
    await reader.rested()
    assert (await caller.ask(chat, "title/propose")).json() == {"title": "Found it"}
    assert (await caller.ask(chat, "compact")).status_code < 300
    await rows.until("SELECT 1 FROM messages WHERE chat_id = :chat AND compressed", chat=chat)
    await reader.until(lambda r: r.status == "waiting")
    spent = await spent_on(rows, chat)
    assert [row.purpose for row in spent] == ["step", "proposal", "summary"]
    assert all(row.state == "settled" and row.cost_micros for row in spent)
    total = sum(row.cost_micros for row in spent)
    assert await cost_of(caller, chat) == (total, 3, 0)
    assert await treasury.figures(pot) == (before + total, 0)
    hidden = await rows.ask(
        "SELECT visibility FROM messages WHERE chat_id = :chat AND deleted AND usage IS NOT NULL", chat=chat
    )
    assert [row.visibility for row in hidden] == ["model", "model"]


async def test_twenty_chats_at_once_never_overshoot_the_pot_they_share(
    caller: Caller, rows: Rows, treasury: Treasury
):
    before, _ = await treasury.figures(await treasury.limit(10**9, user_id=treasury.user))
    limit = before + 3 * WORST
    pot = await treasury.limit(limit, user_id=treasury.user)
    steps = [{"text": "on", **TIME, "usage": {"input_tokens": 9000, "output_tokens": 500}}] * 3
    said = script_block(*steps, {"text": "done", **USAGE})
    watching = asyncio.create_task(_watch(rows, pot, limit))
    chats = await asyncio.gather(*(caller.create(said) for _ in range(20)))
    for chat in chats:
        await rows.until(
            "SELECT 1 FROM chats WHERE id = :chat AND status IN ('waiting', 'error')", chat=chat, seconds=45
        )
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    errors = [error["kind"] for chat in chats if (error := (await last_error_or_none(caller, chat)))]
    assert set(errors) == {"usage_limit"}, "the pot is too small for all of them"
    consumed, reserved = await treasury.figures(pot)
    booked = await rows.ask(
        "SELECT sum(cost_micros) AS micros, count(*) AS calls FROM spendings"
        " WHERE chat_id = ANY(:chats) AND state = 'settled'",
        chats=chats,
    )
    assert reserved == 0
    assert consumed == before + booked[0].micros <= limit
    assert booked[0].calls >= 3, "what fitted was made"


async def last_error_or_none(caller: Caller, chat: str) -> Body | None:
    return (await caller.http.get(f"{caller.url}/{chat}")).json().get("last_error")


async def _watch(rows: Rows, pot: str, limit: int) -> None:
    """Every commit that is seen leaves the pot within its limit, and in agreement with its rows."""
    while True:
        (seen,) = await rows.ask(
            "SELECT spent_micros, reserved_micros,"
            " (SELECT coalesce(sum(cost_micros), 0) FROM spendings s WHERE s.user_id = b.user_id"
            "   AND s.created_at >= b.period_start AND s.state <> 'reserved') AS spent,"
            " (SELECT coalesce(sum(reserved_micros), 0) FROM spendings s WHERE s.user_id = b.user_id"
            "   AND s.state = 'reserved') AS reserved"
            " FROM budgets b WHERE id = :pot",
            pot=pot,
        )
        assert seen.spent_micros + seen.reserved_micros <= limit
        assert (seen.spent_micros, seen.reserved_micros) == (seen.spent, seen.reserved)


async def test_a_worker_that_dies_in_mid_call_leaves_the_books_in_order(
    perdure: Stack, caller: Caller, rows: Rows, model: DemoModel, treasury: Treasury
):
    pot = await treasury.limit(10**9, user_id=treasury.user)
    before, _ = await treasury.figures(pot)
    said = script_block({"text": "one two three", "hold": {"name": "paying", "after_pieces": 1}, **USAGE})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("paying")
    (reserved,) = await spent_on(rows, chat)
    worst = reserved.reserved_micros
    assert reserved.state == "reserved"
    assert COST < worst < WORST
    assert await treasury.figures(pot) == (before, worst)
    await perdure.kill("worker")
    model.release("paying")
    await perdure.start("worker")
    await reader.rested()
    lost, redone = await spent_on(rows, chat)
    assert (lost.state, lost.cost_micros) == ("assumed", worst)
    assert (redone.state, redone.cost_micros) == ("settled", COST)
    assert await treasury.figures(pot) == (before + worst + COST, 0)
    assert await cost_of(caller, chat) == (COST, 1, 0), "what is assumed is no cost of an answer"


async def test_an_exhausted_pot_ends_a_turn_before_its_next_model_call(
    caller: Caller, rows: Rows, model: DemoModel, treasury: Treasury
):
    dear = {"usage": {"input_tokens": 20_000, "output_tokens": 500}}
    said = script_block(
        {"text": "first", **TIME, **dear, "hold": {"name": "limited", "after_pieces": 0}}, {"text": "second"}
    )
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("limited")
    pot = await treasury.limit(21_100, chat_id=chat)
    model.release("limited")
    await failed(reader)
    error = await last_error(caller, chat)
    assert error["kind"] == "usage_limit"
    assert error["retryable"] is False
    assert "limit 21100 micros, consumed 21000 micros" in error["detail"]
    assert len(model.requests_of(chat)) == 1, "the second call was not made"
    assert await treasury.figures(pot) == (21_000, 0)
    await rows.sound(chat)

    # there are a hundred micros left: the door lets the message in, and the turn ends at once
    await caller.send(chat, script_block({"text": "never"}))
    await rows.until("SELECT 1 FROM chats WHERE id = :chat AND turn = 2 AND status = 'error'", chat=chat)
    assert len(model.requests_of(chat)) == 1

    await treasury.limit(21_000, chat_id=chat)
    count = "SELECT count(*) AS n FROM messages WHERE chat_id = :chat"
    rows_before = await rows.ask(count, chat=chat)
    figures = {"limit_micros": 21_000, "consumed_micros": 21_000}
    for answer in (
        await caller.try_to_send(chat, "hello?"),
        await caller.edit(chat, await caller.first_message(chat), "hello!"),
    ):
        assert answer.status_code == 409, answer.text
        assert answer.json().items() >= figures.items()
    assert await rows.ask(count, chat=chat) == rows_before

    await treasury.limit(10**9, chat_id=chat)
    await caller.send(chat, script_block({"text": "again", **USAGE}))
    await reader.until(lambda r: r.status == "waiting")
    assert await treasury.figures(pot) == (21_000 + COST, 0)


async def test_a_promoted_message_is_let_in_and_its_turn_ends_with_usage_limit(
    caller: Caller, model: DemoModel, treasury: Treasury
):
    held = script_block({"text": "one two", "hold": {"name": "promoted", "after_pieces": 1}})
    chat = await caller.create(held)
    reader = caller.read(chat)
    await model.reached("promoted")
    queued = (await caller.send(chat, "and then?"))["queued_message"]["id"]
    await treasury.limit(0, chat_id=chat)
    answer = await caller.promote(chat, queued)
    assert answer.status_code < 300, answer.text
    model.release("promoted")
    await failed(reader)
    assert (await last_error(caller, chat))["kind"] == "usage_limit"


async def test_nothing_is_begun_on_an_empty_pot(caller: Caller, rows: Rows, treasury: Treasury):
    chat = await caller.create(script_block({"text": "hello", **USAGE}))
    await caller.read(chat).rested()
    await treasury.limit(0, user_id=treasury.user)
    count = "SELECT count(*) AS n FROM chats"
    before = await rows.ask(count)
    body = {"organization_id": treasury.organization, "content": [{"type": "text", "text": "hi"}]}
    refused = await caller.http.post(caller.url, json=body)
    assert refused.status_code == 409
    assert refused.json()["limit_micros"] == 0
    assert await rows.ask(count) == before
    assert (await caller.ask(chat, "title/propose")).status_code == 409


async def test_an_answer_that_was_stopped_counts_with_its_worst_case(
    caller: Caller, rows: Rows, model: DemoModel, treasury: Treasury
):
    said = script_block({"text": "one two three", "hold": {"name": "stopped", "after_pieces": 2}, **USAGE})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("stopped")
    pot = await treasury.limit(10**9, chat_id=chat)
    assert (await caller.interrupt(chat)).status_code < 300
    await reader.rested()
    model.release("stopped")
    # there was no budget when this call began, so nobody knows what it may cost
    assert await treasury.figures(pot) == (0, 0)
    again = script_block({"text": "one two three", "hold": {"name": "again", "after_pieces": 2}, **USAGE})
    await caller.send(chat, again)
    await model.reached("again")
    (_, worst) = await treasury.figures(pot)
    assert worst > 0
    assert (await caller.interrupt(chat)).status_code < 300
    await reader.rested(2)
    model.release("again")
    assert await treasury.figures(pot) == (worst, 0)
    assert [row.state for row in await spent_on(rows, chat)] == ["assumed"]


async def test_an_answer_whose_usage_is_not_told_counts_with_its_worst_case(
    caller: Caller, rows: Rows, treasury: Treasury
):
    pot = await treasury.limit(10**9, user_id=treasury.user)
    before = await treasury.figures(pot)
    untold = {"usage": {"input_tokens": 0, "output_tokens": 0}}
    chat = await caller.create(script_block({"text": "one two three", **untold}))
    await caller.read(chat).rested()
    (row,) = await spent_on(rows, chat)
    assert (row.state, row.cost_micros) == ("assumed", row.reserved_micros)
    assert await treasury.figures(pot) == (before[0] + row.reserved_micros, 0)
    assert await cost_of(caller, chat) == (0, 1, 1)


async def test_a_call_that_the_provider_refuses_costs_nothing(caller: Caller, rows: Rows, treasury: Treasury):
    pot = await treasury.limit(10**9, user_id=treasury.user)
    before = await treasury.figures(pot)
    faults = [{"kind": "status", "status": 529, "error_type": "overloaded_error", "message": "busy"}]
    chat = await caller.create(script_block({"text": "at last", "fault": faults, **USAGE}))
    await caller.read(chat).rested()
    assert [(row.state, row.cost_micros) for row in await spent_on(rows, chat)] == [("settled", COST)]
    assert await treasury.figures(pot) == (before[0] + COST, 0)


async def test_a_model_without_a_price_is_not_called_where_a_budget_has_to_hold(
    caller: Caller, rows: Rows, model: DemoModel, treasury: Treasury
):
    path = f"/organizations/{treasury.organization}/chats/models"
    (default,) = [one for one in (await caller.v2.get(path)).json()["models"] if one["is_default"]]
    await caller.v2.patch(f"{path}/{default['id']}", json={"model_config": {}})
    chat = await caller.create(script_block({"text": "one two", "hold": {"name": "free", "after_pieces": 0}}))
    reader = caller.read(chat)
    await model.reached("free")
    model.release("free")
    await reader.rested()
    assert await cost_of(caller, chat) == (0, 1, 1)
    await treasury.limit(10**9, chat_id=chat)
    await caller.send(chat, "and on")
    await failed(reader)
    error = await last_error(caller, chat)
    assert error["kind"] == "config"
    assert "has no price" in error["message"]
    assert len(model.requests_of(chat)) == 1
