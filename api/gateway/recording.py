"""The record of a call: begun before the provider is asked, completed once, whatever happens in between.

A call that was not noted is not made, and neither is one that a budget does not admit. One whose end cannot
be written stays as begun, and is found later by whoever looks for calls that nobody can be making any more;
what was set aside for it counts as spent then.
"""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.gateway.bodies import Question
from api.gateway.costs import Terms, bill_of, most_it_costs, no_bill, refusal
from api.gateway.errors import GatewayError
from api.gateway.tap import Tap
from models.model_options import Prices
from models.pricing import cost_micros
from models.spending import Bill, PaidCall, Payer, Refused, SpentOn
from models.store import spending
from models.store.gateway_calls import CallResult, NewCall, Outcome, begin_call, finish_call, give_up_calls
from models.store.spending import Hold
from runtime import metrics

MAX_CALL_SECONDS = 3600.0
"""A call that takes longer is ended."""

_LOST_AFTER_SECONDS = MAX_CALL_SECONDS + 600.0
_LOOK_SECONDS = 60.0
_BATCH = 1000
_AGAIN_SECONDS = (0.5, 2.0, 8.0, 30.0, 120.0)
_INLINE_SECONDS = 1.0
_DRAIN_SECONDS = 5.0

log = structlog.get_logger("gateway")


class OpenCall:
    """A call that is being made. `finish` may be called any number of times; the first counts."""

    def __init__(self, book: "CallBook", new: NewCall, paid: PaidCall, prices: Prices, tap: Tap) -> None:
        self._book = book
        self._new = new
        self._payer = Payer(new.organization_id, new.user_id)
        self._paid = paid
        self._prices = prices
        self._finished = False
        self.hold: Hold | None = None
        self.tap = tap

    async def reserve(self, worst_case_micros: int | None) -> None:
        """Set aside what the call may cost.

        Raises:
            GatewayError: a budget does not admit it.
        """
        held = await spending.reserve(self._book.engine, self._payer, self._paid, worst_case_micros)
        if isinstance(held, Refused):
            raise refusal(held)
        self.hold = held

    async def finish(self, outcome: Outcome, status: int | None, *, was_free: bool = False) -> None:
        """Write down what is known. Waits a moment for the database, and leaves the rest to the background.

        Args:
            status: HTTP status that was answered; None: nobody was there.
            was_free: the vendor has not worked on it.
        """
        if self._finished:
            return
        self._finished = True
        found = self.tap.findings
        usage = found.usage
        result = CallResult(
            outcome=outcome,
            status=status,
            response_id=found.response_id,
            usage=usage,
            cost_micros=None if usage is None else cost_micros(usage.stored(), self._prices),
            tool_calls=found.tool_calls,
        )
        metrics.GATEWAY_CALLS.labels(self._new.endpoint, outcome).inc()
        if was_free:
            bill = no_bill(self._payer, self._paid)
        else:
            whole = outcome is Outcome.COMPLETED and usage is not None
            bill = bill_of(self._payer, self._paid, self._prices, self.hold, usage=usage, whole=whole)
        await self._book.write(self._new, result, bill)


class CallBook:
    """The calls of this process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._writing: set[asyncio.Task[None]] = set()

    async def begin(
        self, new: NewCall, question: Question, terms: Terms, tap: Tap, *, provider: str
    ) -> OpenCall:
        """Note that a call is made, and set aside what it may cost where there is a budget. `finish` of what
        is returned must follow.

        Args:
            provider: short name of the provider, in the books.

        Raises:
            GatewayError: 403, 429, a budget does not admit it.
            sqlalchemy.exc.SQLAlchemyError: it could not be noted.
        """
        limited = await begin_call(self.engine, new)
        paid = PaidCall(SpentOn.GATEWAY, provider, new.model, terms.model_config_id, id=new.id)
        call = OpenCall(self, new, paid, terms.prices, tap)
        if limited:
            try:
                await call.reserve(most_it_costs(question, terms))
            except BaseException as error:
                status = error.status if isinstance(error, GatewayError) else None
                await call.finish(Outcome.FAILED, status, was_free=True)
                raise
        return call

    async def write(self, new: NewCall, result: CallResult, bill: Bill) -> None:
        """Complete a record, and enter its bill."""
        task = asyncio.create_task(self._write(new, result, bill))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        await asyncio.wait({task}, timeout=_INLINE_SECONDS)

    async def drain(self) -> None:
        """Wait a moment for what is still to be written."""
        if self._writing:
            await asyncio.wait(set(self._writing), timeout=_DRAIN_SECONDS)

    async def run(self) -> None:
        """Look for calls whose process has died, until cancelled."""
        while True:
            try:
                while await self.give_up() == _BATCH:
                    pass
            except (SQLAlchemyError, OSError) as error:
                log.warning("lost calls could not be looked for", error=type(error).__name__)
            await asyncio.sleep(_LOOK_SECONDS)

    async def give_up(self) -> int:
        """Complete calls as lost that were begun longer ago than any can last."""
        lost = await give_up_calls(self.engine, older_than_seconds=_LOST_AFTER_SECONDS, limit=_BATCH)
        if lost:
            log.warning("calls were lost", count=lost)
        return lost

    async def _write(self, new: NewCall, result: CallResult, bill: Bill) -> None:
        for wait in (*_AGAIN_SECONDS, None):
            try:
                await finish_call(self.engine, new.id, result, bill)
                return
            except (SQLAlchemyError, OSError) as error:
                log.warning("a call cannot be completed", call=str(new.id), error=type(error).__name__)
            if wait is not None:
                await asyncio.sleep(wait)
