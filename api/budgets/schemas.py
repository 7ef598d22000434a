"""Bodies of the routes of budgets."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.pricing import MAX_MICROS
from models.spending import BudgetScope, Period
from models.store.budgets import BudgetRecord, Limit


class SetBudget(BaseModel):
    """A limit for the organization, or for one of its members, or for one chat with its subagents."""

    model_config = ConfigDict(extra="forbid")

    period: Period = Field(description="For a chat: total.", examples=["month"])
    limit_micros: Annotated[int, Field(ge=0, le=MAX_MICROS)] = Field(
        description="Millionths of a dollar.", examples=[25_000_000]
    )
    user_id: UUID | None = Field(default=None, examples=[None])
    chat_id: UUID | None = Field(default=None, examples=[None])

    @model_validator(mode="after")
    def _one_pot(self) -> Self:
        if self.user_id is not None and self.chat_id is not None:
            raise ValueError("a budget is for a user or for a chat, not for both")
        if self.chat_id is not None and self.period is not Period.TOTAL:
            raise ValueError("the period of a chat's budget is total")
        return self

    def limit(self) -> Limit:
        return Limit(self.period, self.limit_micros, self.user_id, self.chat_id)


class Budget(BaseModel):
    """A budget in its present period."""

    id: UUID
    organization_id: UUID
    scope: BudgetScope
    user_id: UUID | None = None
    username: str | None = None
    chat_id: UUID | None = None
    period: Period
    limit_micros: int
    consumed_micros: int = Field(description="What calls have cost that are over.")
    reserved_micros: int = Field(description="What calls under way may cost at most.")
    period_start: datetime
    updated_at: datetime

    @classmethod
    def of(cls, record: BudgetRecord) -> "Budget":
        pot = record.pot
        return cls(
            id=pot.id,
            organization_id=record.organization_id,
            scope=pot.scope,
            user_id=record.user_id,
            username=record.username,
            chat_id=record.chat_id,
            period=pot.period,
            limit_micros=pot.limit_micros,
            consumed_micros=pot.consumed_micros,
            reserved_micros=pot.reserved_micros,
            period_start=record.period_start,
            updated_at=record.updated_at,
        )
