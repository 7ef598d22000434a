"""Paying for calls of models: reserved before, entered into the books after, whatever became of them.

A `Purse` belongs to one call. It hands the call a provider that reserves before anything is sent and notes
how the answer ends; then it says what is to be entered.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.providers.anthropic.settings import BUDGET_OF_EFFORT
from activities.providers.protocol import (
    Finish,
    ModelCallError,
    ModelEvent,
    ModelProvider,
    ModelRequest,
)
from activities.shielding import to_the_end
from models.chat_model import ChatModel
from models.pricing import cost_micros, worst_case_micros
from models.spending import Bill, PaidCall, Payer, Refused, SpendingState, SpentOn
from models.store import spending
from models.store.spending import Hold

log = structlog.get_logger(__name__)

_FRAME_TOKENS = 4096
"""What vendors put around a conversation of their own: about the tools, and about themselves."""

_MESSAGE_TOKENS = 32
"""What marks the beginning and the end of a message or a tool."""

_UNKNOWN_CONTEXT = 1_000_000

_FEWEST_OUTPUT_TOKENS = 16
"""A lower limit is not taken by every vendor."""


def paid_call(purpose: SpentOn, model: ChatModel, turn: int, step: int) -> PaidCall:
    """A call of a model for a chat."""
    return PaidCall(purpose, model.provider, model.model, model.config_id, turn, step)


class Purse:
    """What one call may cost and has cost.

    Args:
        limited: whether there may be a budget for it. Without one nothing is reserved.
    """

    def __init__(
        self, engine: AsyncEngine, payer: Payer, call: PaidCall, model: ChatModel, *, limited: bool
    ) -> None:
        self._engine = engine
        self._payer = payer
        self._call = call
        self._model = model
        self._limited = limited
        self._asked = False
        self._hold: Hold | None = None
        self._was_sent = False
        self._was_heard = False
        self._finish: Finish | None = None

    def paying(self, provider: ModelProvider) -> "PaidProvider":
        """The provider, for this one call."""
        return PaidProvider(provider, self)

    def bill(self) -> Bill | None:
        """What is to be entered, once the call is over in whatever way; None if that is nothing.

        A call whose usage is not known, or was not told, counts with its worst case where a budget has to
        hold. One that was refused, or not made, has cost nothing.
        """
        usage = None if self._finish is None else self._finish.usage.stored()
        if usage or (usage is not None and self._hold is None):
            cost = cost_micros(usage, self._model.prices)
            return Bill(self._payer, self._call, usage, cost, held=self._hold is not None)
        if self._was_sent and self._hold is not None:
            return Bill(self._payer, self._call, usage, self._hold.micros, SpendingState.ASSUMED, held=True)
        return Bill(self._payer, self._call, None, None, None, held=True) if self._asked else None

    async def close(self) -> None:
        """Enter the bill in a transaction of its own. A repetition changes nothing."""
        bill = self.bill()
        if bill is not None:
            await spending.settle(self._engine, bill)

    @asynccontextmanager
    async def closed_on_failure(self) -> AsyncGenerator[None]:
        """Enter the bill if the call fails or is given up; if it succeeds, that is left to whoever keeps what
        it has said."""
        try:
            yield
        except BaseException:
            try:
                await to_the_end(self.close())
            except (SQLAlchemyError, OSError) as err:
                # it is still reserved, and counts as spent before long
                log.warning("a failed call could not be entered", error=type(err).__name__)
            raise

    async def reserve(self, request: ModelRequest) -> None:
        """Set the worst case aside.

        Raises:
            ModelCallError: a budget does not admit the call.
        """
        if self._limited:
            self._asked = True
            worst = most_it_costs(request, self._model)
            held = await spending.reserve(self._engine, self._payer, self._call, worst)
            if isinstance(held, Refused):
                self._asked = False
                raise ModelCallError(held.failure(self._model.provider))
            self._hold = held
            self._asked = held is not None
        self._was_sent = True

    def failed(self) -> None:
        """The call has failed. Unless an answer has begun, none will, and it has cost nothing."""
        self._was_sent = self._was_heard

    def note(self, event: ModelEvent) -> None:
        """An event of the answer has come."""
        self._was_heard = True
        if isinstance(event, Finish):
            self._finish = event


class PaidProvider:
    """A provider for one call. Implements `ModelProvider`."""

    def __init__(self, provider: ModelProvider, purse: Purse) -> None:
        self._provider = provider
        self._purse = purse

    @property
    def label(self) -> str:
        return self._provider.label

    @asynccontextmanager
    async def stream(self, request: ModelRequest) -> AsyncGenerator[AsyncIterator[ModelEvent]]:
        """Reserve, send, and read, see `ModelProvider.stream`.

        Raises:
            ModelCallError: a budget does not admit the call, too.
        """
        await self._purse.reserve(request)
        try:
            async with self._provider.stream(request) as events:
                yield _Heard(events, self._purse)
        except ModelCallError:
            self._purse.failed()
            raise

    async def aclose(self) -> None:
        await self._provider.aclose()


class _Heard:
    """The events of an answer, noted in passing."""

    def __init__(self, events: AsyncIterator[ModelEvent], purse: Purse) -> None:
        self._events = events
        self._purse = purse

    def __aiter__(self) -> AsyncIterator[ModelEvent]:
        return self

    async def __anext__(self) -> ModelEvent:
        event = await anext(self._events)
        self._purse.note(event)
        return event


def most_it_costs(request: ModelRequest, model: ChatModel) -> int | None:
    """The worst case of a call in micros, see `worst_case_micros`; None if the model has no price.

    What a vendor's own tools bring into the conversation is taken for as much as the model takes; that a
    vendor asks the model several times within one call is not foreseen.
    """
    size = len(orjson.dumps([*request.system, *(_text_of(part) for part in _parts(request))]))
    size += len(orjson.dumps([[tool.name, tool.description, tool.schema] for tool in request.tools]))
    pieces = len(request.system) + len(request.messages) + len(request.tools)
    unseen = _FRAME_TOKENS + _MESSAGE_TOKENS * pieces
    if request.previous_response_id or request.provider_tools or any(map(_has_data, _parts(request))):
        unseen += max(request.context_limit or 0, model.context_limit) or _UNKNOWN_CONTEXT
    return worst_case_micros(size, _most_output(request), model.prices, unseen_input_tokens=unseen)


def _most_output(request: ModelRequest) -> int:
    """Room to think in comes on top of a limit that it would not leave anything of."""
    room = max(request.max_output_tokens, _FEWEST_OUTPUT_TOKENS)
    own = request.options.provider_options.anthropic.thinking
    effort = BUDGET_OF_EFFORT.get(request.reasoning_effort, 0) if request.reasoning_effort else 0
    thinking = max(own.budget_tokens if own else 0, request.thinking_budget_tokens or 0, effort)
    return room if room > thinking else room + thinking


def _parts(request: ModelRequest) -> list[dict[str, object]]:
    return [part for message in request.messages for part in message.parts]


def _has_data(part: dict[str, object]) -> bool:
    return part["type"] == "file" or part.get("is_media") is True


def _text_of(part: dict[str, object]) -> dict[str, object]:
    """A part as far as it is told as text."""
    return {"type": part["type"]} if _has_data(part) else part
