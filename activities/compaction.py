"""One compaction: have the conversation summarized, put the summary in its place.

A turn never fails for the lack of a summary, unless it cannot go on without one. Who ended a call decides
what happens, as with a step: after a user's stop nothing is committed and the chat is left as the stop
found it; a worker that shuts down raises, and another one begins anew.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, TemporalError

from activities import metrics
from activities.announcing import hints_of_compaction, hints_of_summary
from activities.answer import AnswerBuilder
from activities.attachments import Attachments
from activities.committing import patiently
from activities.heartbeat import beating
from activities.listening import Patience, listen
from activities.live import EpisodeWriter, LiveView
from activities.passing import passes
from activities.prompt.assemble import facts_of
from activities.prompt.summary import TRIES, size_bytes, summary_request, summary_text
from activities.providers.directory import ProviderDirectory
from activities.providers.failures import provider_failure
from activities.providers.headers import request_headers
from activities.providers.protocol import (
    FinishReason,
    ModelCallError,
    ModelEvent,
    ModelProvider,
    ModelRequest,
)
from activities.purposes import Asked, Purpose, named_model
from activities.shielding import to_the_end
from activities.spending import Purse, paid_call
from activities.stops import StopListener, Stopped, unless_stopped
from activities.tools.offer import Offer
from activities.tools.registry import ToolRegistry
from activities.turn_ends import count_turn
from models.chat_model import ChatModel
from models.chat_state import ChatState, ChatStatus, turn_is_over
from models.compaction import (
    SUMMARY_TOOL,
    CompactionReason,
    context_tokens,
    estimated_tokens,
    usage_percent,
)
from models.failures import Failure, FailureKind, retry_delay_seconds
from models.parts import ToolCallPart, ToolResultPart, dump_part
from models.spending import SpentOn
from models.store import compactions
from models.store.boundaries import boundary_rows, replayed_rows
from models.store.bundle import NewMessage, read_state
from models.store.compactions import BegunCompaction
from models.store.costs import Aside, keep_aside
from models.store.transcripts import TranscriptMessage, read_transcript, unanswered
from models.turns import Compaction, StepEnd

log = structlog.get_logger(__name__)

ATTEMPTS = 3
"""Calls that may fail for a transient reason before the chat goes on without a summary."""

_UNFORESEEN = Failure(
    kind=FailureKind.GENERIC, message="The conversation could not be summarized, for an unexpected reason."
)


@dataclass(frozen=True, slots=True)
class _Conversation:
    """What is to be summarized, and the user messages behind it that wait for their answer."""

    summarized: Sequence[TranscriptMessage]
    unanswered: Sequence[TranscriptMessage]

    @property
    def last_usage(self) -> Mapping[str, int]:
        usages = (row.usage for row in reversed(self.summarized))
        return next((usage for usage in usages if usage), dict[str, int]())

    @property
    def is_worth_it(self) -> bool:
        return any(row.role == "assistant" for row in self.summarized)


@dataclass(frozen=True)
class Compactions:
    """Runs compactions. `directory` knows the models this worker can call."""

    engine: AsyncEngine
    live: LiveView
    stops: StopListener
    tools: ToolRegistry
    directory: ProviderDirectory
    attachments: Attachments
    patience: Patience
    timeout_seconds: float

    @activity.defn
    async def compact(self, compaction: Compaction) -> ChatState:
        async with beating(), self.stops.watch(compaction.chat_id, compaction.turn) as stop:
            try:
                return await self._attempt(compaction, stop)
            except TemporalError:
                raise  # it asks for another attempt
            except Exception as err:
                if passes(err):
                    raise
                # Another attempt would be paid for as well, and would end the same.
                log.error(
                    "a compaction failed unexpectedly",
                    error=type(err).__name__,
                    chat_id=str(compaction.chat_id),
                    turn=compaction.turn,
                    step=compaction.step,
                )
                return await to_the_end(self._without_summary(compaction, None, _UNFORESEEN))

    async def _attempt(self, compaction: Compaction, stop: asyncio.Event) -> ChatState:
        begun = await compactions.begin_compaction(self.engine, compaction)
        if isinstance(begun, ChatState):  # whoever committed it may have died before it could tell
            hints = hints_of_compaction(compaction, begun)
            self.live.wake(compaction.chat_id, begun.snapshot_version, hints)
            return begun
        try:
            model = await self.directory.model(begun.model_config_id, begun.organization_id, begun.owner_id)
        except ModelCallError as err:
            return await to_the_end(self._without_summary(compaction, begun, err.failure))
        writer = self.live.open_episode(compaction.chat_id, begun.episode)
        run = _Run(self, compaction, begun, model, writer)
        try:
            summary = await unless_stopped(run.summarize(), stop)
        except Stopped:
            run.writer.abandon()
            return await read_state(self.engine, compaction.chat_id)
        except BaseException:
            run.writer.abandon()
            raise
        return await to_the_end(run.conclude(summary))

    async def _without_summary(
        self, compaction: Compaction, begun: BegunCompaction | None, failure: Failure
    ) -> ChatState:
        """There is nothing to ask for a summary, or none came of it that could be kept."""
        state = await compactions.give_up(self.engine, compaction, begun, failure)
        self.live.wake(compaction.chat_id, state.snapshot_version, hints_of_compaction(compaction, state))
        if not compaction.manual and turn_is_over(state):
            await count_turn(self.engine, compaction.chat_id, state)
        return state


class _Run:
    """One attempt at one compaction."""

    def __init__(
        self,
        means: Compactions,
        compaction: Compaction,
        begun: BegunCompaction,
        model: ChatModel,
        writer: EpisodeWriter,
    ) -> None:
        self.writer = writer
        self._means = means
        self._compaction = compaction
        self._begun = begun
        self._model = model
        self._asked = Asked(model, begun.reasoning_effort)
        self._call_id = f"{SUMMARY_TOOL}_{uuid4()}"
        self._conversation = _Conversation((), ())
        self._call: dict[str, Any] = {}

    async def summarize(self) -> str | Failure | None:
        """The summary, or why there is none; None if there is nothing to summarize."""
        transcript = await read_transcript(self._means.engine, self._compaction.chat_id)
        waiting = unanswered(transcript)
        self._conversation = _Conversation(transcript[: len(transcript) - len(waiting)], waiting)
        if not self._conversation.is_worth_it:
            return self._nothing_to_summarize()
        self._call = self._call_part()
        self.writer.add("assistant", self._call)
        try:
            async with asyncio.timeout(self._means.timeout_seconds):
                return await self._ask()
        except TimeoutError:
            return self._failure(FailureKind.TIMEOUT)
        except ModelCallError as err:
            return err.failure
        except Exception as err:
            if passes(err):
                raise
            log.exception("compaction failed unexpectedly", chat_id=str(self._compaction.chat_id))
            return self._failure(FailureKind.GENERIC)

    async def conclude(self, summary: str | Failure | None) -> ChatState:
        """Commit what came of it and wake the readers."""
        means, compaction, begun = self._means, self._compaction, self._begun
        if isinstance(summary, str):
            result = self._result_part(self._figures(summary))
            self.writer.add("tool", result)
            await self.writer.close()
            waiting = self._conversation.unanswered
            rows = [*boundary_rows(summary_text(summary), self._call, result), *replayed_rows(waiting)]
            state = await self._commit(rows, summary)
            self._count("success")
            self._count_turn(state)
            hints = (*hints_of_compaction(compaction, state), *hints_of_summary(compaction.chat_id, state))
            means.live.wake_committed(compaction.chat_id, state.snapshot_version, hints)
            return state
        if summary is not None and self._call:
            if summary.retryable and activity.info().attempt < ATTEMPTS:
                self.writer.abandon()
                raise _try_again(summary)
            error = self._result_part({"error": summary.message}, is_error=True)
            self.writer.add("tool", error)
            self._count("timeout" if summary.kind in _TIMEOUTS else "error")
        await self.writer.close()
        state = await compactions.give_up(means.engine, compaction, begun, summary)
        self._count_turn(state)
        means.live.wake(compaction.chat_id, state.snapshot_version, hints_of_compaction(compaction, state))
        return state

    async def _commit(self, rows: Sequence[NewMessage], summary: str) -> ChatState:
        means, compaction, begun = self._means, self._compaction, self._begun
        failure = self._still_too_long(summary)
        try:
            return await patiently(
                lambda: compactions.commit_compaction(means.engine, compaction, begun, rows, summary, failure)
            )
        except Exception:
            self._count("error")
            raise

    async def _ask(self) -> str:
        """One call, or several shorter ones where the provider refuses the prompt for its length. It is made
        of the model that the organization has named for it, or else of the chat's own."""
        begun = self._begun
        directory = self._means.directory
        named = await named_model(directory, Purpose.COMPACTION, begun.organization_id, begun.owner_id)
        self._asked = named or self._asked
        shown = await self._means.attachments.fill(self._compaction.chat_id, self._conversation.summarized)
        async with directory.calling(self._asked.model, begun.owner_id) as provider:
            for attempt in range(TRIES):
                try:
                    return await self._call_model(provider, await self._request(shown, attempt))
                except ModelCallError as err:
                    if not err.failure.context_overflow or attempt == TRIES - 1:
                        raise
        raise AssertionError("the last try returns or raises")

    async def _call_model(self, provider: ModelProvider, request: ModelRequest) -> str:
        builder = AnswerBuilder(_now)
        began = time.monotonic()
        purse = self._purse()

        def take(event: ModelEvent) -> None:
            builder.add(event)

        async with purse.closed_on_failure():
            await listen(purse.paying(provider), request, self._means.patience, take)
        assert builder.finish is not None, "the protocol raises for a stream without its end"
        await self._pay(purse, began, builder.finish.response_id)
        parts = builder.finished().parts
        text = "".join(part["text"] for part in parts if part["type"] == "text").strip()
        if not text or builder.finish.reason is not FinishReason.STOP:
            raise ModelCallError(
                provider_failure(FailureKind.GENERIC, provider.label, detail="The summary is not complete.")
            )
        return text

    def _purse(self) -> Purse:
        model = self._asked.model
        paid = paid_call(SpentOn.SUMMARY, model, self._compaction.turn, self._compaction.step)
        return Purse(self._means.engine, self._begun.payer, paid, model, limited=True)

    async def _pay(self, purse: Purse, began: float, response_id: str | None) -> None:
        """At once, because it was paid for whether it will be of use or not."""
        bill = purse.bill()
        assert bill is not None, "an answer that is whole has its usage"
        aside = Aside(bill, round((time.monotonic() - began) * 1000), response_id)
        turn = self._compaction.turn
        await to_the_end(patiently(lambda: keep_aside(self._means.engine, aside, turn=turn)))

    async def _request(self, shown: Sequence[TranscriptMessage], attempt: int) -> ModelRequest:
        headers = request_headers(self._begun.owner_id, self._compaction.chat_id)
        facts = facts_of(self._asked.model, self._asked.effort)
        # as the chat's own calls have them: the provider may have that much of the request in its cache
        tools = Offer(self._means.tools, self._begun.tools).specs()
        user_prompt = await self._means.directory.user_prompt(self._begun.owner_id)
        return summary_request(shown, facts, tools, headers, attempt=attempt, user_prompt=user_prompt)

    def _call_part(self) -> dict[str, Any]:
        args: dict[str, Any] = {"source": self._begun.reason.source}
        if self._begun.reason is not CompactionReason.MANUAL:
            args["threshold_percent"] = self._model.compaction_threshold
        call = ToolCallPart(tool_call_id=self._call_id, tool_name=SUMMARY_TOOL, args=args, created_at=_now())
        return dump_part(call)

    def _result_part(self, result: dict[str, Any], *, is_error: bool = False) -> dict[str, Any]:
        part = ToolResultPart(
            tool_call_id=self._call_id,
            tool_name=SUMMARY_TOOL,
            result=result,
            is_error=is_error or None,
            created_at=_now(),
        )
        return dump_part(part)

    def _figures(self, summary: str) -> dict[str, Any]:
        """The result readers see: the summary, and how full the context was before and is behind it."""
        usage = self._conversation.last_usage
        percent = usage_percent(usage)
        return {
            "summary": summary,
            **self._call["args"],
            "usage_percent": None if percent is None else round(percent, 1),
            "context_tokens": context_tokens(usage),
            "context_limit_tokens": usage.get("context_limit", self._model.context_limit),
            "estimated_context_tokens": self._estimate(summary),
        }

    def _estimate(self, summary: str) -> int:
        system = [row for row in self._conversation.summarized if row.role == "system"]
        size = size_bytes([*system, *self._conversation.unanswered])
        return estimated_tokens(size + len(summary_text(summary).encode()))

    def _still_too_long(self, summary: str) -> Failure | None:
        limit = self._conversation.last_usage.get("context_limit", self._model.context_limit)
        if self._begun.reason is CompactionReason.MANUAL or self._estimate(summary) <= limit:
            return None
        return self._too_long("Even its summary does not fit into the model's context.")

    def _nothing_to_summarize(self) -> Failure | None:
        if self._begun.reason is not CompactionReason.OVERFLOW:
            return None
        return self._too_long("There is nothing in it that could be summarized.")

    def _too_long(self, why: str) -> Failure:
        failure = provider_failure(FailureKind.CONFIG, self._model.provider, context_overflow=True)
        words = f"The conversation does not fit the model. {why} Clear it, or send a shorter message."
        return failure.model_copy(update={"message": words})

    def _failure(self, kind: FailureKind) -> Failure:
        return provider_failure(kind, self._asked.model.provider)

    def _count(self, result: str) -> None:
        model = self._asked.model
        metrics.COMPACTIONS.labels(model.provider, model.model, result).inc()

    def _count_turn(self, state: ChatState) -> None:
        """A turn may end with this; a compaction that a person asked for belongs to none."""
        if self._begun.reason is not CompactionReason.MANUAL and turn_is_over(state):
            outcome = StepEnd.FAILED if state.status is ChatStatus.ERROR else StepEnd.COMMITTED
            model = self._model
            metrics.turn_over(model.provider, model.model, self._begun.turn_started_at, outcome)


_TIMEOUTS = (FailureKind.TIMEOUT, FailureKind.STARTUP_TIMEOUT, FailureKind.STREAM_SILENCE_TIMEOUT)


def _try_again(failure: Failure) -> ApplicationError:
    delay = retry_delay_seconds(activity.info().attempt, failure.retry_after_seconds)
    return ApplicationError(
        f"summary failed: {failure.kind}",
        type=failure.kind,
        next_retry_delay=timedelta(seconds=delay),
        category=ApplicationErrorCategory.BENIGN,
    )


def _now() -> datetime:
    return datetime.now(UTC)
