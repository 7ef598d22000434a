"""The books of one organization in tests: what a pot says, and what its rows say."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.spending import Bill, PaidCall, Payer, Period, SpendingState, SpentOn
from models.store.budgets import BudgetRecord, Limit, list_budgets, set_budget
from models.store.spending import Hold, reserve, settle
from models.store.tables import budgets, spendings
from tests.models.store.rows import ChatRows


def step_call(turn: int | None = 1, step: int | None = 1) -> PaidCall:
    return PaidCall(SpentOn.STEP, "demo", "perdure-demo", turn=turn, step=step)


def bill_of(payer: Payer, call: PaidCall, micros: int | None) -> Bill:
    return Bill(payer, call, {"input_tokens": 10, "output_tokens": 2}, micros)


@dataclass
class Books:
    """What an organization with one chat may spend and has spent."""

    engine: AsyncEngine
    chat: ChatRows
    payer: Payer = field(init=False)

    def __post_init__(self) -> None:
        self.payer = Payer(self.chat.organization, self.chat.owner, self.chat.chat, self.chat.chat)

    def another_chat(self) -> Payer:
        chat = uuid4()
        return Payer(self.chat.organization, self.chat.owner, chat, chat)

    async def limit(
        self, micros: int, period: Period = Period.TOTAL, *, user: bool = False, chat: bool = False
    ) -> UUID:
        wanted = Limit(period, micros, self.chat.owner if user else None, self.chat.chat if chat else None)
        return await set_budget(self.engine, self.chat.organization, wanted, None)

    async def make_call(self, payer: Payer, worst: int, cost: int) -> bool:
        """Reserve, wait until others had their turn, settle; whether the call was made."""
        call = step_call()
        if not isinstance(await reserve(self.engine, payer, call, worst), Hold):
            return False
        await asyncio.sleep(0)
        await settle(self.engine, bill_of(payer, call, cost))
        return True

    async def pots(self) -> dict[str, BudgetRecord]:
        """By scope and period."""
        found = await list_budgets(self.engine, self.chat.organization, limit=100, offset=0)
        return {f"{one.pot.scope} {one.pot.period}": one for one in found}

    async def figures(self, budget: UUID) -> tuple[int, int]:
        """What one budget says it has spent, and has reserved."""
        found = await self.pots()
        pot = next(one.pot for one in found.values() if one.pot.id == budget)
        return pot.consumed_micros, pot.reserved_micros

    async def rows(self) -> list[Any]:
        async with self.engine.connect() as conn:
            query = select(spendings).where(spendings.c.organization_id == self.chat.organization)
            return list((await conn.execute(query.order_by(spendings.c.created_at))).mappings())

    async def states(self) -> list[tuple[str, int | None]]:
        return [(row["state"], row["cost_micros"]) for row in await self.rows()]

    async def check(self) -> None:
        """Every budget agrees with its rows, seen at one moment."""
        async with self.engine.connect() as plain:
            conn = await plain.execution_options(isolation_level="REPEATABLE READ")
            rows = (
                await conn.execute(
                    select(spendings).where(spendings.c.organization_id == self.chat.organization)
                )
            ).mappings()
            rows = list(rows)
            limits = await conn.execute(
                select(budgets).where(budgets.c.organization_id == self.chat.organization)
            )
            for budget in limits.mappings():
                own = [
                    row
                    for row in rows
                    if row["created_at"] >= budget["period_start"]
                    and budget["user_id"] in (None, row["user_id"])
                    and budget["chat_id"] in (None, row["root_chat_id"])
                ]
                reserved = [row for row in own if row["state"] == SpendingState.RESERVED]
                over = [row for row in own if row["state"] != SpendingState.RESERVED]
                assert budget["reserved_micros"] == sum(row["reserved_micros"] for row in reserved)
                assert budget["spent_micros"] == sum(row["cost_micros"] or 0 for row in over)
                assert budget["spent_micros"] + budget["reserved_micros"] <= budget["limit_micros"]
