"""The rows of a step: beginning an attempt, and the four ways it ends.

Each end is one bundle under the chat's row lock and is recognised when it comes again, because two
attempts of one activity may overlap. When a step ends the turn and nothing is queued, finishing the turn
is part of the same bundle; with messages queued that is left to the workflow, which decides what is next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import func, null

from models.chat_state import ChatState, ChatStatus, ToolCallRef
from models.failures import MAX_PROVIDER_ATTEMPTS, Failure, retry_delay_seconds
from models.parts import dump_part
from models.store.bundle import Bundle, NewMessage, results_for, synthetic_result
from models.store.reading import UNFLUSHED, reading
from models.store.tables import chats, model_configs, steps
from models.stream import Episode
from models.turns import ModelCall, ResultsCommit, StepEnd, StepOutcome

_INTERRUPTED_CALL = "The user interrupted this tool call before it had a result."


@dataclass(frozen=True, slots=True)
class ChatModel:
    """The model a chat uses, and where to find it."""

    config_id: UUID
    provider: str
    model: str
    context_limit: int
    max_output_tokens: int
    thinking_budget_tokens: int | None


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt may run: its episode on the stream, its snapshot version, and whom it is for."""

    episode: Episode
    snapshot_version: int
    owner_id: UUID
    model: ChatModel


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model call produced, in stored form.

    `calls` are the calls the model asks us to run; `usage` counts tokens.
    """

    parts: list[dict[str, Any]]
    calls: Sequence[ToolCallRef]
    model_config_id: UUID
    usage: dict[str, int] | None = None
    runtime_ms: int | None = None
    provider_response_id: str | None = None


@dataclass(frozen=True, slots=True)
class RetryLater:
    """A transient failure was noted: wait this long before the next attempt."""

    attempt: int
    delay_seconds: float
    state: ChatState


_HAD_RETRY = chats.c.retry_state.is_not(None)
_NEW_VERSION = chats.c.snapshot_version + 1

_BEGIN = (
    update(chats)
    .where(
        chats.c.id == bindparam("chat"),
        model_configs.c.id == chats.c.last_model_config_id,
        chats.c.status == ChatStatus.RUNNING,
        chats.c.turn == bindparam("at_turn"),
        chats.c.step == bindparam("after_step"),
        chats.c.turn_ended.is_(False),
    )
    .values(
        generation_attempt=chats.c.generation_attempt + 1,
        snapshot_version=_NEW_VERSION,
        retry_state_version=case((_HAD_RETRY, _NEW_VERSION), else_=chats.c.retry_state_version),
        retry_state=null(),
        updated_at=func.now(),
    )
    .returning(
        chats.c.history_version,
        chats.c.generation_attempt,
        chats.c.snapshot_version,
        chats.c.owner_id,
        model_configs.c.id,
        model_configs.c.provider,
        model_configs.c.model,
        model_configs.c.context_limit,
        model_configs.c.max_output_tokens,
        model_configs.c.thinking_budget_tokens,
        UNFLUSHED,
    )
)


async def begin_attempt(engine: AsyncEngine, call: ModelCall) -> Begun | StepOutcome:
    """Count a model attempt, unless the step is over or the chat has moved on; then say how it ended."""
    async with reading(engine) as conn:  # one statement: it commits by itself
        result = await conn.execute(
            _BEGIN, {"chat": call.chat_id, "at_turn": call.turn, "after_step": call.step - 1}
        )
        row = result.one_or_none()
        if row is not None:
            history_version, attempt, version, owner_id, *model, _ = row
            return Begun(Episode(history_version, attempt), version, owner_id, ChatModel(*model))
    async with engine.begin() as conn:
        bundle = await Bundle.open(conn, call.chat_id)
        return await _how_it_ended(bundle, call)


async def commit_step(
    engine: AsyncEngine, call: ModelCall, answer: Answer, *, interrupted: bool = False
) -> StepOutcome:
    """Put the answer of a model call into history, whole or as far as it got.

    An interrupted one answers its open calls itself and, with an empty queue, ends the interruption. An
    answer that is whole but meets a chat that is being interrupted is kept and treated the same.
    """
    async with engine.begin() as conn:
        bundle = await Bundle.open(conn, call.chat_id)
        row = bundle.row
        in_time = (row["turn"], row["step"]) == (call.turn, call.step - 1) and not bundle.state().at_rest
        if not in_time:
            return await _how_it_ended(bundle, call)
        stopped = interrupted or row["status"] == ChatStatus.INTERRUPTING
        if answer.parts:
            bundle.add_messages([_assistant_row(answer)], turn=call.turn, step=call.step)
        if stopped:
            synthetic = [synthetic_result(c, _INTERRUPTED_CALL) for c in answer.calls]
            bundle.add_messages(
                [NewMessage("tool", [dump_part(part)]) for part in synthetic], turn=call.turn, step=call.step
            )
        open_calls = [] if stopped else [ref.stored() for ref in answer.calls]
        ended = not open_calls
        if ended and bundle.queued == 0:
            bundle.set(status=ChatStatus.WAITING)
        bundle.set(step=call.step, open_calls=open_calls, turn_ended=ended, provider_failures=0)
        end = StepEnd.INTERRUPTED if stopped else StepEnd.COMMITTED
        bundle.record_step(call.turn, call.step, end)
        return StepOutcome(end=end, state=await bundle.close())


async def fail_step(engine: AsyncEngine, call: ModelCall, failure: Failure) -> StepOutcome:
    """Rest the chat in `error`. What the failed attempts streamed is not kept."""
    async with engine.begin() as conn:
        bundle = await Bundle.open(conn, call.chat_id)
        if not _is_current(bundle, call):
            return await _how_it_ended(bundle, call)
        return await _rest_in_error(bundle, failure)


async def note_failure(engine: AsyncEngine, call: ModelCall, failure: Failure) -> RetryLater | StepOutcome:
    """Count a transient failure and say when to try again; the attempt limit turns it into an error."""
    async with engine.begin() as conn:
        bundle = await Bundle.open(conn, call.chat_id)
        if not _is_current(bundle, call):
            return await _how_it_ended(bundle, call)
        failures = bundle.row["provider_failures"] + 1
        if failures >= MAX_PROVIDER_ATTEMPTS:
            last = failure.model_copy(
                update={
                    "message": f"{failure.message} Gave up after {failures} attempts.",
                    "retryable": False,
                }
            )
            return await _rest_in_error(bundle, last)
        delay = retry_delay_seconds(failures, failure.retry_after_seconds)
        payload = {
            "attempt": failures,
            "delay_ms": round(delay * 1000),
            "error": failure.message,
            "kind": failure.kind,
            "provider": failure.provider,
            "status_code": failure.status_code,
            "retrying_at": (datetime.now(UTC) + timedelta(seconds=delay)).isoformat(),
        }
        bundle.set(
            provider_failures=failures,
            retry_state={key: value for key, value in payload.items() if value is not None},
        )
        return RetryLater(failures, delay, await bundle.close())


async def commit_results(engine: AsyncEngine, commit: ResultsCommit) -> ChatState:
    """Move the results of a step's tools from the ledger into history, all together, in call order."""
    async with engine.begin() as conn:
        bundle = await Bundle.open(conn, commit.chat_id)
        state = bundle.state()
        if (state.turn, state.step) != (commit.turn, commit.step) or not state.open_calls:
            return state
        rows = await results_for(bundle, state.open_calls, "The tool ended without a result.")
        bundle.add_messages(rows, turn=commit.turn, step=commit.step)
        bundle.set(open_calls=[])
        return await bundle.close()


def _assistant_row(answer: Answer) -> NewMessage:
    return NewMessage(
        "assistant",
        answer.parts,
        model_config_id=answer.model_config_id,
        usage=answer.usage,
        runtime_ms=answer.runtime_ms,
        provider_response_id=answer.provider_response_id,
    )


def _is_current(bundle: Bundle, call: ModelCall) -> bool:
    row = bundle.row
    here = (row["turn"], row["step"], row["status"])
    return here == (call.turn, call.step - 1, ChatStatus.RUNNING)


async def _rest_in_error(bundle: Bundle, failure: Failure) -> StepOutcome:
    bundle.set(
        status=ChatStatus.ERROR,
        last_error=failure.as_chat_error(),
        retry_state=None,
        provider_failures=0,
    )
    return StepOutcome(end=StepEnd.FAILED, state=await bundle.close())


async def _how_it_ended(bundle: Bundle, call: ModelCall) -> StepOutcome:
    """The outcome of a step this call can no longer change."""
    state = bundle.state()
    recorded = await _recorded_end(bundle.conn, call)
    if recorded is not None:
        return StepOutcome(end=recorded, state=state)
    if state.status is ChatStatus.INTERRUPTING and state.turn == call.turn:
        return StepOutcome(end=StepEnd.INTERRUPTED, state=state)
    if state.status is ChatStatus.ERROR and state.turn == call.turn:
        return StepOutcome(end=StepEnd.FAILED, state=state)
    return StepOutcome(end=StepEnd.SUPERSEDED, state=state)


async def _recorded_end(conn: AsyncConnection, call: ModelCall) -> StepEnd | None:
    result = await conn.execute(
        select(steps.c.end).where(
            steps.c.chat_id == call.chat_id, steps.c.turn == call.turn, steps.c.step == call.step
        )
    )
    end = result.scalar_one_or_none()
    return None if end is None else StepEnd(end)
