"""One step of a turn: call the model, stream its answer, commit it, and say how it ended.

Who ended it decides what happens (design section 4): a user's stop keeps the partial answer and returns;
a worker that shuts down, or an attempt that Temporal has given up, raises and commits nothing, so that
the step is run again.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, TemporalError

from activities import metrics
from activities.announcing import hints_of_step
from activities.answer import AnswerBuilder, Kept, shown_as
from activities.attachments import Attachments
from activities.committing import patiently
from activities.context_limit import context_limit
from activities.heartbeat import beating
from activities.listening import Patience, listen
from activities.live import EpisodeWriter, LiveView
from activities.passing import passes
from activities.prompt.assemble import assemble, facts_of, prompt_size
from activities.prompt.chain import chain_link
from activities.providers.directory import ProviderDirectory
from activities.providers.failures import declined, provider_failure, without_output
from activities.providers.headers import request_headers
from activities.providers.protocol import (
    Finish,
    FinishReason,
    ModelCallError,
    ModelEvent,
    ModelProvider,
    ModelRequest,
)
from activities.remains import read_remains
from activities.shielding import to_the_end
from activities.spending import Purse, paid_call
from activities.stops import StopListener, Stopped, unless_stopped
from activities.tools.offer import Offer
from activities.tools.registry import ToolRegistry
from activities.turn_ends import count_turn
from models.chat_model import ChatModel
from models.chat_state import turn_is_over
from models.compaction import is_due
from models.failures import Failure, FailureKind, RetryLimits
from models.hints import Hint
from models.spending import SpentOn
from models.store import steps
from models.store.steps import Answer, Begun, RetryLater
from models.store.transcripts import read_transcript
from models.turns import ModelCall, StepEnd, StepOutcome

log = structlog.get_logger(__name__)

_UNFORESEEN = Failure(
    kind=FailureKind.GENERIC, message="The chat request failed unexpectedly. Send the message again."
)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt at a step: what is asked, what the chat says, the model as it is configured, and what it
    costs."""

    call: ModelCall
    begun: Begun
    model: ChatModel
    purse: Purse


@dataclass(frozen=True, slots=True)
class _Ending:
    """How an answer ended, before that is committed: what was said until then, and why it went wrong."""

    writer: EpisodeWriter
    said: Answer
    interrupted: bool = False
    failure: Failure | None = None


@dataclass(frozen=True)
class ModelCalls:
    """Runs steps. `directory` knows the models this worker can call."""

    engine: AsyncEngine
    live: LiveView
    stops: StopListener
    tools: ToolRegistry
    directory: ProviderDirectory
    attachments: Attachments
    patience: Patience
    retry_limits: RetryLimits = RetryLimits()

    @activity.defn
    async def call_model(self, call: ModelCall) -> StepOutcome:
        async with beating(), self.stops.watch(call.chat_id, call.turn) as stop:
            try:
                return await self._attempt(call, stop)
            except TemporalError:
                raise  # it asks for another attempt
            except Exception as err:
                if passes(err):
                    raise
                # Another attempt would be paid for as well, and would end the same.
                log.error("a step failed unexpectedly", error=type(err).__name__, **_place(call))
                return await to_the_end(self._rest(call, _UNFORESEEN))

    async def _attempt(self, call: ModelCall, stop: asyncio.Event) -> StepOutcome:
        begun = await steps.begin_attempt(self.engine, call)
        if isinstance(begun, StepOutcome):
            # whoever committed it may have died before it could tell
            self.live.wake(call.chat_id, begun.state.snapshot_version, _hints(call, begun))
            return begun
        structlog.contextvars.bind_contextvars(**_place(call), attempt=begun.episode.generation_attempt)
        try:
            model = await self.directory.model(begun.model_config_id, begun.organization_id, begun.owner_id)
        except ModelCallError as err:
            return await to_the_end(self._rest(call, err.failure))
        if activity.info().attempt > 1 and not begun.after_failure:
            metrics.RECOVERIES.labels(model.provider, model.model).inc()
        if begun.episode.generation_attempt > 1:
            self.live.wake(call.chat_id, begun.snapshot_version)
        attempt = _Attempt(call, begun, model, self._purse(call, begun, model))
        ending = await self._answer(attempt, stop)
        return await to_the_end(self._conclude(attempt, ending))

    async def _rest(self, call: ModelCall, failure: Failure) -> StepOutcome:
        """There is nothing to call, or nothing came of it: the chat rests and says why."""
        outcome = await steps.fail_step(self.engine, call, failure)
        self.live.wake_committed(call.chat_id, outcome.state.snapshot_version, _hints(call, outcome))
        if outcome.end is StepEnd.FAILED:
            await count_turn(self.engine, call.chat_id, outcome.state)
        return outcome

    async def _answer(self, attempt: _Attempt, stop: asyncio.Event) -> _Ending:
        """Stream the answer until it is whole, stopped or failed."""
        model = attempt.model
        builder = AnswerBuilder(_now)
        writer = self.live.open_episode(attempt.call.chat_id, attempt.begun.episode)
        started = time.monotonic()
        try:
            finish = await unless_stopped(self._stream(attempt, builder, writer), stop)
            runtime = time.monotonic() - started
            return _Ending(writer, self._whole(attempt, builder, finish, runtime))
        except Stopped:
            return _Ending(writer, _cut(builder.partial(_now()), model), interrupted=True)
        except ModelCallError as err:
            writer.abandon()
            return _Ending(writer, _cut(builder.partial(_now()), model), failure=err.failure)
        except BaseException:
            writer.abandon()
            raise

    def _whole(
        self, attempt: _Attempt, builder: AnswerBuilder, finish: Finish, runtime_seconds: float
    ) -> Answer:
        model = attempt.model
        usage = _usage(finish, model.context_limit)
        kept, calls = builder.finished(), builder.calls_to_run(finish.reason)
        return Answer(
            parts=kept.parts,
            calls=self._offer(attempt).plan(calls),
            not_run=() if calls else kept.calls,
            goes_on=finish.reason is FinishReason.PAUSE,
            model_config_id=model.config_id,
            usage=usage,
            runtime_ms=round(runtime_seconds * 1000),
            provider_response_id=finish.response_id if model.is_remembered else None,
            compaction_due=is_due(usage, model.compaction_threshold),
        )

    def _purse(self, call: ModelCall, begun: Begun, model: ChatModel) -> Purse:
        paid = paid_call(SpentOn.STEP, model, call.turn, call.step)
        return Purse(self.engine, begun.payer, paid, model, limited=begun.budgeted)

    def _offer(self, attempt: _Attempt) -> Offer:
        return Offer(self.tools, attempt.begun.tools)

    async def _conclude(self, attempt: _Attempt, ending: _Ending) -> StepOutcome:
        """Commit what came of it and wake the readers."""
        call, model = attempt.call, attempt.model
        if ending.failure is not None:
            outcome = await self._fail(attempt, ending.failure)
            if outcome.end is StepEnd.INTERRUPTED:  # it was stopped, and has failed before it heard of that
                outcome = await self._commit(call, await self._remaining(attempt, ending), interrupted=True)
        else:
            said = await self._remaining(attempt, ending) if ending.interrupted else ending.said
            paid = replace(said, bill=attempt.purse.bill())
            committing = self._commit(call, paid, interrupted=ending.interrupted)
            outcome, _ = await asyncio.gather(committing, ending.writer.close())
            if outcome.end is StepEnd.COMMITTED:
                metrics.STEPS.labels(model.provider, model.model).inc()
        if outcome.end is not StepEnd.SUPERSEDED and turn_is_over(outcome.state):
            metrics.turn_over(model.provider, model.model, attempt.begun.turn_started_at, outcome.end)
        self.live.wake_committed(call.chat_id, outcome.state.snapshot_version, _hints(call, outcome))
        return outcome

    async def _remaining(self, attempt: _Attempt, ending: _Ending) -> Answer:
        """What is kept of an answer that was stopped: where this attempt had not said anything, what readers
        saw of an earlier one whose worker has died."""
        if ending.said.parts:
            return ending.said
        call, begun = attempt.call, attempt.begun
        kept = await read_remains(self.live, call.chat_id, begun.episode, _now())
        return _cut(kept, attempt.model) if kept else ending.said

    async def _commit(self, call: ModelCall, said: Answer, *, interrupted: bool) -> StepOutcome:
        return await patiently(partial(steps.commit_step, self.engine, call, said, interrupted=interrupted))

    async def _stream(self, attempt: _Attempt, builder: AnswerBuilder, writer: EpisodeWriter) -> Finish:
        """Read the model's answer into the builder and onto the stream.

        Raises:
            ModelCallError: whatever went wrong, our own mistakes in preparing the call included; only
                failures that pass stay what they are, because another attempt may fare better.
        """
        try:
            async with self.directory.calling(attempt.model, attempt.begun.owner_id) as provider:
                request = await self._prepare(attempt)
                return await self._read(attempt.purse.paying(provider), request, builder, writer)
        except ModelCallError:
            raise
        except Exception as err:
            if passes(err):
                raise
            log.exception("model call failed unexpectedly")
            raise ModelCallError(provider_failure(FailureKind.GENERIC, attempt.model.provider)) from err

    async def _prepare(self, attempt: _Attempt) -> ModelRequest:
        call, begun, model = attempt.call, attempt.begun, attempt.model
        rows = await read_transcript(self.engine, call.chat_id)
        transcript = await self.attachments.fill(call.chat_id, rows)
        metrics.MESSAGE_COUNT.labels(model.provider, model.model).observe(len(transcript))
        headers = request_headers(begun.owner_id, call.chat_id)
        user_prompt = await self.directory.user_prompt(begun.owner_id)
        link = chain_link(transcript, model_config_id=model.config_id) if model.is_remembered else None
        tools = self._offer(attempt).specs()
        facts = facts_of(model, begun.reasoning_effort)
        request = assemble(transcript, facts, tools, headers, user_prompt=user_prompt, link=link)
        metrics.PROMPT_SIZE.labels(model.provider, model.model).observe(prompt_size(request))
        return request

    async def _read(
        self, provider: ModelProvider, request: ModelRequest, builder: AnswerBuilder, writer: EpisodeWriter
    ) -> Finish:
        def take(event: ModelEvent) -> None:
            part = builder.add(event)
            if part is not None:
                writer.add(shown_as(part), part)

        await listen(provider, request, self.patience, take)
        assert builder.finish is not None, "the protocol raises for a stream without its end"
        if not builder.has_output():
            _refuse_emptiness(builder.finish, provider.label)
        return builder.finish

    async def _fail(self, attempt: _Attempt, failure: Failure) -> StepOutcome:
        """Rest in error, have history compacted, or have Temporal try again later."""
        call, model = attempt.call, attempt.model
        await attempt.purse.close()
        if failure.context_overflow:
            return await steps.note_overflow(self.engine, call, failure, model.compaction_threshold)
        if not failure.retryable:
            return await steps.fail_step(self.engine, call, failure)
        noted = await steps.note_failure(self.engine, call, failure, self.retry_limits)
        if isinstance(noted, StepOutcome):
            return noted
        metrics.STREAM_RETRIES.labels(model.provider, model.model, failure.kind).inc()
        self.live.wake_committed(call.chat_id, noted.state.snapshot_version)
        raise _try_again(failure, noted)


def _cut(kept: Kept, model: ChatModel) -> Answer:
    """An answer that did not come to its end."""
    return Answer(kept.parts, kept.calls, model.config_id)


def _place(call: ModelCall) -> dict[str, str | int]:
    """Where a line of the log belongs."""
    return {"chat_id": str(call.chat_id), "turn": call.turn, "step": call.step}


def _hints(call: ModelCall, outcome: StepOutcome) -> tuple[Hint, ...]:
    return () if outcome.end is StepEnd.SUPERSEDED else hints_of_step(call.chat_id, outcome.state)


def _refuse_emptiness(finish: Finish, provider: str) -> None:
    """An answer with nothing in it is one only if the model says that it meant to end there.

    Raises:
        ModelCallError: it did not.
    """
    match finish.reason:
        case FinishReason.STOP | FinishReason.LENGTH:
            return
        case FinishReason.CONTENT_FILTER:
            raise ModelCallError(declined(provider, finish.refusal))
        case FinishReason.TOOL_CALLS | FinishReason.PAUSE | FinishReason.UNKNOWN:
            raise ModelCallError(without_output(provider, finish.reason))


def _usage(finish: Finish, configured_limit: int) -> dict[str, int]:
    """Tokens of the call, and how many the model takes, in stored form."""
    limit = context_limit(finish.metadata, configured_limit)
    return finish.usage.stored() | ({} if limit is None else {"context_limit": limit})


def _try_again(failure: Failure, noted: RetryLater) -> ApplicationError:
    """Temporal keeps this in the chat's history: the kind and the delay, never the provider's words."""
    return ApplicationError(
        f"attempt {noted.attempt} failed: {failure.kind}",
        type=failure.kind,
        next_retry_delay=timedelta(seconds=noted.delay_seconds),
        category=ApplicationErrorCategory.BENIGN,
    )


def _now() -> datetime:
    return datetime.now(UTC)
