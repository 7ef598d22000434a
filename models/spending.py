"""Who pays for a call, what it is for, and what limits there are on it. Pure.

A call falls into the pots of its organization, of its user in that organization, and of its chat's family.
A budget limits what may leave one pot in one period. Amounts are micros: millionths of a dollar.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid4

from models.failures import Failure, FailureKind


class SpentOn(StrEnum):
    """What a call is made for: a step of a turn, a summary, a name, or a program behind the gateway."""

    STEP = "step"
    SUMMARY = "summary"
    TITLE = "title"
    PROPOSAL = "proposal"
    LABEL = "label"
    GATEWAY = "gateway"


class SpendingState(StrEnum):
    """How much is known of what a call has cost.

    `reserved`: it may be under way, and its worst case is set aside. `settled`: its usage is known.
    `assumed`: it was begun and what became of it will not be known, so its worst case counts as spent.
    """

    RESERVED = "reserved"
    SETTLED = "settled"
    ASSUMED = "assumed"


class Period(StrEnum):
    """How long a budget lasts before it begins anew: days and months of UTC, or for ever."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


BEGINNING = datetime.fromtimestamp(0, UTC)
"""When the period of a budget began that never begins anew."""


class BudgetScope(StrEnum):
    """Whose pot it is. A chat's is that of its whole family, a user's that in one organization."""

    CHAT = "chat"
    USER = "user"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose pots a call falls into. One that belongs to no chat has neither of the chats."""

    organization_id: UUID
    user_id: UUID
    chat_id: UUID | None = None
    root_chat_id: UUID | None = None

    @property
    def targets(self) -> tuple[UUID, UUID, UUID]:
        """Organization, user and family; the user stands in for a family that there is not."""
        return (self.organization_id, self.user_id, self.root_chat_id or self.user_id)


@dataclass(frozen=True, slots=True)
class PaidCall:
    """A call and what it is for.

    Attributes:
        id: its own; whatever is told of it twice counts once.
        turn, step: where in the chat, of calls of a chat. A later call for the same purpose at the same place
            is made in the stead of one that was lost.
    """

    purpose: SpentOn
    provider: str
    model: str
    model_config_id: UUID | None = None
    turn: int | None = None
    step: int | None = None
    id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True)
class Bill:
    """What became of a call.

    Attributes:
        usage: tokens in stored form, where they are known.
        cost_micros: None if the call is unpriced.
        state: `settled`, or `assumed` with its worst case as the cost. None: it has cost nothing.
        held: something may have been set aside for it.
    """

    payer: Payer
    call: PaidCall
    usage: Mapping[str, int] | None
    cost_micros: int | None
    state: SpendingState | None = SpendingState.SETTLED
    held: bool = False

    @property
    def known_cost_micros(self) -> int | None:
        """What it has cost, and not what is assumed: for the message that the call has made."""
        return self.cost_micros if self.state is SpendingState.SETTLED else None


@dataclass(frozen=True, slots=True)
class Pot:
    """A budget in its present period.

    Attributes:
        consumed_micros: what calls have cost that are over.
        reserved_micros: what calls under way may cost.
    """

    id: UUID
    scope: BudgetScope
    period: Period
    limit_micros: int
    consumed_micros: int
    reserved_micros: int

    def admits(self, micros: int) -> bool:
        """Whether a call of this worst case may be made."""
        return self.consumed_micros + self.reserved_micros + micros <= self.limit_micros


@dataclass(frozen=True, slots=True)
class Refused:
    """A call must not be made: this pot does not hold what it needs; None: nobody knows what it needs,
    because the model has no price."""

    pot: Pot
    needed_micros: int | None

    def failure(self, provider: str) -> Failure:
        """Why the turn ends, for people."""
        if self.needed_micros is None:
            return Failure(
                kind=FailureKind.CONFIG,
                message=(
                    f"{_whose(self.pot)} is limited by a budget, and this model has no price. Choose another "
                    "model, or ask an administrator to set its price, then send the message again."
                ),
                detail=_figures(self.pot),
                provider=provider,
            )
        return Failure(
            kind=FailureKind.USAGE_LIMIT,
            message=f"{used_up(self.pot)} {ADVICE}",
            detail=f"{_figures(self.pot)}, this call up to {self.needed_micros} micros",
            provider=provider,
        )


ADVICE = "Ask an administrator to raise it, or wait for its next period, then send the message again."


def used_up(pot: Pot) -> str:
    """One sentence for people."""
    return f"The {_BUDGETS[pot.period]}budget of {_OWNERS[pot.scope]} is used up."


def _whose(pot: Pot) -> str:
    owner = _OWNERS[pot.scope]
    return owner[0].upper() + owner[1:]


_OWNERS = {
    BudgetScope.CHAT: "this chat",
    BudgetScope.USER: "this user",
    BudgetScope.ORGANIZATION: "the organization",
}
_BUDGETS = {Period.DAY: "daily ", Period.MONTH: "monthly ", Period.TOTAL: ""}


def _figures(pot: Pot) -> str:
    return (
        f"{pot.scope} budget per {pot.period}: limit {pot.limit_micros} micros, "
        f"consumed {pot.consumed_micros} micros, reserved {pot.reserved_micros} micros"
    )
