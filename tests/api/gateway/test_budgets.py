"""Budgets hold for calls through the gateway, too: whatever becomes of them, however many come at once."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from models.store.spending import assume_older
from models.store.tables import spendings
from tests.activities.providers.vendor import Vendor
from tests.api.gateway.conftest import Gateway
from tests.api.served import Body

PRICES = {"input_price_per_million_tokens": "1", "output_price_per_million_tokens": "1000"}
"""A token is a micro, or a thousand."""

QUESTION: Body = {"model": "priced", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
WORST = 4096 + len(json.dumps(QUESTION, separators=(",", ":"))) + 10_000
ANSWER = b'{"id": "msg_1", "usage": {"input_tokens": 7, "output_tokens": 2}, "content": []}'
COST = 7 + 2000


@dataclass
class Treasury:
    """A provider with one model that has a price, and a budget."""

    gateway: Gateway
    messages: str
    responses: str
    chat: str
    budget: str = ""

    @property
    def vendor(self) -> Vendor:
        return self.gateway.vendor

    async def limit(self, micros: int) -> None:
        path = f"/organizations/{self.gateway.door.organization}/budgets"
        answer = await self.gateway.admin.http.put(path, json={"period": "total", "limit_micros": micros})
        assert answer.status_code == 200, answer.text

    async def figures(self) -> tuple[int, int]:
        """What is consumed, and what is reserved."""
        path = f"/organizations/{self.gateway.door.organization}/budgets"
        (pot,) = (await self.gateway.admin.http.get(path)).json()
        return pot["consumed_micros"], pot["reserved_micros"]

    async def ask(self, **more: Any) -> httpx2.Response:
        """Ask for a message, with a body of known length."""
        content = json.dumps({**QUESTION, **more}, separators=(",", ":")).encode()
        return await self.gateway.door.owner.http.post(self.messages, content=content)

    async def books(self) -> list[Any]:
        await self.gateway.ended_calls()
        mine = spendings.c.organization_id == self.gateway.door.organization
        async with self.gateway.door.engine.connect() as conn:
            return list(await conn.execute(select(spendings).where(mine).order_by(spendings.c.created_at)))


@pytest.fixture
async def treasury(gateway: Gateway) -> Treasury:
    claude = await gateway.add("anthropic", gateway.vendor.url)
    gpt = await gateway.add("openai", gateway.vendor.url)
    for provider in (claude, gpt):
        new = {
            "ai_provider_id": provider["id"],
            "model": "priced",
            "context_limit": 5000,
            "model_config": {"cost": PRICES},
        }
        path = f"/organizations/{gateway.door.organization}/chats/models"
        assert (await gateway.admin.http.post(path, json=new)).status_code == 201
    base = f"/aibridge/{gpt['name']}/v1"
    return Treasury(
        gateway, f"/aibridge/{claude['name']}/v1/messages", f"{base}/responses", f"{base}/chat/completions"
    )


def answer(treasury: Treasury, body: bytes = ANSWER, status: int = 200) -> None:
    treasury.vendor.reply(body, status=status, content_type="application/json")


async def test_a_call_is_paid_for_with_what_it_has_cost(treasury: Treasury):
    await treasury.limit(WORST)
    go_on = asyncio.Event()
    treasury.vendor.reply(go_on, ANSWER, content_type="application/json")
    asking = asyncio.create_task(treasury.ask())
    await treasury.vendor.begun.wait()
    assert await treasury.figures() == (0, WORST)
    go_on.set()
    assert (await asking).status_code == 200
    (entry,) = await treasury.books()
    assert (entry.purpose, entry.state, entry.cost_micros) == ("gateway", "settled", COST)
    assert await treasury.figures() == (COST, 0)
    assert (await treasury.gateway.calls())[0]["id"] == str(entry.id)


async def test_a_call_that_may_cost_too_much_is_not_made(treasury: Treasury):
    await treasury.limit(WORST - 1)
    refused = await treasury.ask()
    assert (refused.status_code, refused.headers["x-should-retry"]) == (429, "false")
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert "budget of the organization is used up" in refused.json()["error"]["message"]
    body = {"model": "priced", "input": "hi", "max_output_tokens": 20}
    refused = await treasury.gateway.door.owner.http.post(treasury.responses, json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
    assert (await treasury.books(), await treasury.figures(), treasury.vendor.asked) == ([], (0, 0), [])
    for call in await treasury.gateway.calls():
        assert (call["outcome"], call["status_code"], call["cost_micros"]) == ("failed", 429, None)
    answer(treasury)
    assert (await treasury.ask(max_tokens=9)).status_code == 200


async def test_many_calls_at_once_share_a_budget_and_do_not_overshoot_it(treasury: Treasury):
    await treasury.limit(3 * WORST + 1000)
    go_on = asyncio.Event()
    for _ in range(20):
        treasury.vendor.reply(go_on, ANSWER, content_type="application/json")
    asking = [asyncio.create_task(treasury.ask()) for _ in range(20)]
    first = asyncio.as_completed(asking)
    assert {(await next(first)).status_code for _ in range(17)} == {429}
    assert await treasury.figures() == (0, 3 * WORST)
    go_on.set()
    statuses = sorted([(await one).status_code for one in asking])
    assert statuses == [200] * 3 + [429] * 17
    assert len(await treasury.books()) == 3
    assert await treasury.figures() == (3 * COST, 0)


async def test_who_hangs_up_pays_the_most_that_it_can_have_cost(treasury: Treasury):
    await treasury.limit(10 * WORST)
    treasury.vendor.reply(b"data: {}\n\n", asyncio.Event())
    asking = asyncio.create_task(treasury.ask())
    await treasury.vendor.begun.wait()
    asking.cancel()
    await asyncio.wait_for(treasury.vendor.hung_up.wait(), 10)
    (entry,) = await treasury.books()
    assert (entry.state, entry.cost_micros) == ("assumed", WORST)
    assert await treasury.figures() == (WORST, 0)


async def test_tokens_that_are_not_told_cost_the_most_that_they_can(treasury: Treasury):
    await treasury.limit(100 * WORST)
    body: Body = {"model": "priced", "max_tokens": 10, "n": 2, "stream": True, "messages": []}
    treasury.vendor.reply(b'data: {"id": "c", "choices": []}\n\ndata: [DONE]\n\n')
    assert (await treasury.gateway.door.owner.http.post(treasury.chat, json=body)).status_code == 200
    (entry,) = await treasury.books()
    size = len(treasury.vendor.asked[0].body)
    assert (entry.state, entry.cost_micros) == ("assumed", 4096 + size + 2 * 10_000)
    (call,) = await treasury.gateway.calls()
    assert (call["outcome"], call["cost_micros"]) == ("completed", None)


@pytest.mark.parametrize("usage", [{}, {"input_tokens": 0, "output_tokens": 0}, {"tokens": "many"}])
async def test_usage_that_tells_nothing_is_not_told(treasury: Treasury, usage: Body):
    await treasury.limit(10 * WORST)
    answer(treasury, json.dumps({"id": "msg_1", "usage": usage, "content": []}).encode())
    assert (await treasury.ask()).status_code == 200
    (entry,) = await treasury.books()
    assert (entry.state, entry.cost_micros) == ("assumed", WORST)
    assert await treasury.figures() == (WORST, 0)


async def test_a_call_that_the_vendor_refuses_costs_nothing(treasury: Treasury):
    await treasury.limit(10 * WORST)
    answer(treasury, b'{"error": {}}', status=529)
    assert (await treasury.ask()).status_code == 529
    assert (await treasury.books(), await treasury.figures()) == ([], (0, 0))


async def test_a_call_that_could_not_be_made_costs_nothing(treasury: Treasury, gateway: Gateway):
    await treasury.limit(10 * WORST)
    provider = treasury.messages.split("/")[2]
    known = (await gateway.admin.http.get("/ai-providers")).json()
    (claude,) = [one for one in known if one["name"] == provider]
    nowhere = {"base_url": "http://127.0.0.1:9"}
    changed = await gateway.admin.http.patch(f"/ai-providers/{claude['id']}", json=nowhere)
    assert changed.status_code == 200
    assert (await treasury.ask()).status_code == 502
    assert (await treasury.books(), await treasury.figures()) == ([], (0, 0))


async def test_what_a_dead_process_has_set_aside_counts_as_spent_before_long(treasury: Treasury):
    await treasury.limit(10 * WORST)
    treasury.vendor.reply(asyncio.Event())
    asking = asyncio.create_task(treasury.ask())
    await treasury.vendor.begun.wait()
    async with treasury.gateway.door.engine.begin() as conn:
        assert await assume_older(conn, 0) >= 1
    assert await treasury.figures() == (WORST, 0)
    asking.cancel()
    (entry,) = await treasury.books()
    assert (entry.state, entry.cost_micros) == ("assumed", WORST)
    assert await treasury.figures() == (WORST, 0), "the end of the call comes too late to count again"


async def test_a_model_without_a_price_is_not_called_where_there_is_a_budget(treasury: Treasury):
    answer(treasury)
    assert (await treasury.ask(model="nobody-knows-it")).status_code == 200
    await treasury.limit(10 * WORST)
    refused = await treasury.ask(model="nobody-knows-it")
    assert (refused.status_code, refused.json()["error"]["type"]) == (403, "permission_error")
    assert "no price" in refused.json()["error"]["message"]
    assert len(treasury.vendor.asked) == 1


async def test_calls_are_in_the_usage_of_who_made_them_without_any_budget(treasury: Treasury):
    answer(treasury)
    await treasury.ask()
    await treasury.books()
    report = (await treasury.gateway.door.owner.http.get("/chats/usage", params={"group_by": "model"})).json()
    (row,) = report["rows"]
    assert (row["provider"], row["model"], row["requests"]) == ("anthropic", "priced", 1)
    assert (row["cost_micros"], row["input_tokens"]) == (COST, 7)
