"""One step of a turn: call the model, stream its answer, commit it, and say how it ended.

Who ended it decides what happens (design section 4): a user's stop keeps the partial answer and returns;
a worker that shuts down, or an attempt that Temporal has given up, raises and commits nothing, so that
the step is run again.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities import metrics
from activities.answer import AnswerBuilder
from activities.heartbeat import beating
from activities.live import EpisodeWriter, LiveView
from activities.prompt.assemble import ModelFacts, assemble
from activities.providers.failures import provider_failure
from activities.providers.protocol import Finish, ModelCallError, ModelProvider, ModelRequest
from activities.shielding import to_the_end
from activities.stops import StopListener, Stopped, unless_stopped
from activities.tools.registry import ToolRegistry
from models.failures import Failure, FailureKind
from models.store import steps
from models.store.steps import Answer, Begun, RetryLater
from models.store.transcripts import read_transcript
from models.turns import ModelCall, StepEnd, StepOutcome

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Ending:
    """How an answer ended, before that is committed."""

    writer: EpisodeWriter
    result: Answer | Failure
    interrupted: bool = False


@dataclass(frozen=True)
class ModelCalls:
    """Runs steps. `providers` are the endpoints of this worker, by the name model configurations use."""

    engine: AsyncEngine
    live: LiveView
    stops: StopListener
    tools: ToolRegistry
    providers: Mapping[str, ModelProvider]
    first_part_timeout_seconds: float
    silence_timeout_seconds: float

    @activity.defn
    async def call_model(self, call: ModelCall) -> StepOutcome:
        async with beating(), self.stops.watch(call.chat_id, call.turn) as stop:
            begun = await steps.begin_attempt(self.engine, call)
            if isinstance(begun, StepOutcome):
                return begun
            if begun.episode.generation_attempt > 1:
                self.live.wake(call.chat_id, begun.snapshot_version)
            ending = await self._answer(call, begun, stop)
            return await to_the_end(self._conclude(call, begun, ending))

    async def _answer(self, call: ModelCall, begun: Begun, stop: asyncio.Event) -> "_Ending":
        """Stream the answer until it is whole, stopped or failed."""
        builder = AnswerBuilder(_now)
        writer = self.live.open_episode(call.chat_id, begun.episode)
        started = time.monotonic()
        try:
            finish = await unless_stopped(self._stream(call, begun, builder, writer), stop)
        except Stopped:
            metrics.INTERRUPTS.labels(begun.model.provider, begun.model.model).inc()
            kept = builder.partial(_now())
            return _Ending(writer, Answer(kept.parts, kept.calls, begun.model.config_id), interrupted=True)
        except ModelCallError as err:
            writer.abandon()
            return _Ending(writer, err.failure)
        except BaseException:
            writer.abandon()
            raise
        answer = Answer(
            parts=builder.finished().parts,
            calls=builder.calls_to_run(finish.reason),
            model_config_id=begun.model.config_id,
            usage=finish.usage.stored(),
            runtime_ms=round((time.monotonic() - started) * 1000),
            provider_response_id=finish.response_id,
        )
        return _Ending(writer, answer)

    async def _conclude(self, call: ModelCall, begun: Begun, ending: "_Ending") -> StepOutcome:
        """Commit what came of it and wake the readers."""
        if isinstance(ending.result, Failure):
            outcome = await self._fail(call, begun, ending.result)
        else:
            commit = steps.commit_step(self.engine, call, ending.result, interrupted=ending.interrupted)
            outcome, _ = await asyncio.gather(commit, ending.writer.close())
            if outcome.end is StepEnd.COMMITTED:
                metrics.STEPS.labels(begun.model.provider, begun.model.model).inc()
        self.live.wake_committed(call.chat_id, outcome.state.snapshot_version)
        return outcome

    async def _stream(
        self, call: ModelCall, begun: Begun, builder: AnswerBuilder, writer: EpisodeWriter
    ) -> Finish:
        """Read the model's answer into the builder and onto the stream.

        Raises:
            ModelCallError: whatever went wrong, our own mistakes in preparing the call included; only
                the database's failures stay what they are, because another attempt may fare better.
        """
        try:
            provider, request = await self._prepare(call, begun)
            return await self._read(provider, request, begun, builder, writer)
        except (ModelCallError, DBAPIError, OSError):
            raise
        except Exception as err:
            log.exception("model call failed unexpectedly", chat_id=str(call.chat_id), turn=call.turn)
            raise ModelCallError(provider_failure(FailureKind.GENERIC, begun.model.provider)) from err

    async def _prepare(self, call: ModelCall, begun: Begun) -> tuple[ModelProvider, ModelRequest]:
        model = begun.model
        provider = self.providers.get(model.provider)
        if provider is None:
            raise ModelCallError(provider_failure(FailureKind.MISSING_KEY, model.provider))
        transcript = await read_transcript(self.engine, call.chat_id)
        metrics.MESSAGE_COUNT.labels(model.provider, model.model).observe(len(transcript))
        facts = ModelFacts(model.model, model.max_output_tokens, model.thinking_budget_tokens)
        headers = {"X-Coder-Owner-Id": str(begun.owner_id), "X-Coder-Chat-Id": str(call.chat_id)}
        return provider, assemble(transcript, facts, self.tools.specs(), headers)

    async def _read(
        self,
        provider: ModelProvider,
        request: ModelRequest,
        begun: Begun,
        builder: AnswerBuilder,
        writer: EpisodeWriter,
    ) -> Finish:
        loop = asyncio.get_running_loop()
        opened = loop.time()
        silent = True
        try:
            async with asyncio.timeout(self.first_part_timeout_seconds) as guard:
                async with provider.stream(request) as events:
                    async for event in events:
                        guard.reschedule(loop.time() + self.silence_timeout_seconds)
                        if silent:
                            silent = False
                            first_part = metrics.TIME_TO_FIRST_PART.labels(provider.label, request.model)
                            first_part.observe(loop.time() - opened)
                        part = builder.add(event)
                        if part is not None:
                            writer.add("assistant", part)
        except TimeoutError as err:
            raise ModelCallError(_silence(provider.label, silent)) from err
        assert builder.finish is not None, "the protocol raises for a stream without its end"
        return builder.finish

    async def _fail(self, call: ModelCall, begun: Begun, failure: Failure) -> StepOutcome:
        """Rest in error, or note the failure and have Temporal try again later."""
        if not failure.retryable:
            return await steps.fail_step(self.engine, call, failure)
        noted = await steps.note_failure(self.engine, call, failure)
        if isinstance(noted, StepOutcome):
            return noted
        metrics.STREAM_RETRIES.labels(begun.model.provider, begun.model.model, failure.kind).inc()
        self.live.wake_committed(call.chat_id, noted.state.snapshot_version)
        raise _try_again(failure, noted)


def _silence(provider: str, before_first_part: bool) -> Failure:
    kind = FailureKind.STARTUP_TIMEOUT if before_first_part else FailureKind.STREAM_SILENCE_TIMEOUT
    return provider_failure(kind, provider, retryable=True)


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
