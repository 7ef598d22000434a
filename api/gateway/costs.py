"""What a call may cost, and what is entered into the books when it is over.

Where a budget has to hold, a call whose usage will not be known counts with the most it can have cost: else
whoever hangs up before the end would never pay.
"""

from dataclasses import dataclass
from uuid import UUID

from api.gateway.bodies import Question
from api.gateway.errors import GatewayError
from models.model_options import Prices
from models.pricing import cost_micros, worst_case_micros
from models.spending import Bill, PaidCall, Payer, Refused, SpendingState, used_up
from models.store.spending import Hold
from models.usage import Usage

UNKNOWN_CONTEXT = 1_000_000

_FRAME_TOKENS = 4096
"""What vendors put around a conversation of their own."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a model is called.

    Attributes:
        context_limit: tokens that it takes.
        model_config_id: None for one that the organization does not list.
    """

    prices: Prices
    context_limit: int
    model_config_id: UUID | None


def most_it_costs(question: Question, terms: Terms) -> int | None:
    """The worst case of a call in micros, see `worst_case_micros`; None if the model has no price.

    What cannot be seen in the request (pictures, stored conversations, what the vendor's own tools find) is
    taken for as much as the model takes; that a vendor asks the model several times in one call is not
    foreseen. Without a limit an answer may be as long as that, too.
    """
    unseen = _FRAME_TOKENS + (terms.context_limit if question.refers else 0)
    limit = terms.context_limit if question.max_output_tokens is None else question.max_output_tokens
    return worst_case_micros(
        question.size, limit * question.answers, terms.prices, unseen_input_tokens=unseen
    )


def refusal(refused: Refused) -> GatewayError:
    """What is told of a call that a budget does not admit."""
    if refused.needed_micros is None:
        return GatewayError(
            403,
            "This model has no price, and there is a budget.",
            "Choose another model, or ask an administrator to set its price.",
            code="model_without_price",
        )
    return GatewayError(
        429,
        used_up(refused.pot),
        f"This call may cost {refused.needed_micros} micros; of {refused.pot.limit_micros} are spent "
        f"{refused.pot.consumed_micros} and reserved {refused.pot.reserved_micros}. Ask for a shorter "
        "answer, wait for the next period, or ask an administrator to raise it.",
        code="insufficient_quota",
    )


def bill_of(
    payer: Payer, call: PaidCall, prices: Prices, hold: Hold | None, *, usage: Usage | None, whole: bool
) -> Bill:
    """The bill of a call that the vendor has worked on.

    Args:
        usage: as far as it is known.
        whole: it is known to the end.
    """
    tokens = None if usage is None else usage.stored()
    if hold is not None and not (whole and tokens):  # counts that are all zero tell nothing
        return Bill(payer, call, tokens, hold.micros, SpendingState.ASSUMED, held=True)
    return Bill(payer, call, tokens, cost_micros(tokens, prices), held=hold is not None)


def no_bill(payer: Payer, call: PaidCall) -> Bill:
    """The bill of a call that has cost nothing: what was set aside is given back."""
    return Bill(payer, call, None, None, None, held=True)
