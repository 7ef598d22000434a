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
from models.chat_tools import ChatTools
from models.compaction import NEVER_PERCENT, CompactionReason
from models.failures import Failure, RetryLimits, retry_delay_seconds
from models.parts import dump_part
from models.spending import Bill, Payer
from models.store.bundle import CLOSED_BECAUSE, Bundle, NewMessage, results_for, synthetic_result
from models.store.reading import reading, transaction
from models.store.remembered import forget_answers
from models.store.scoping import FAMILY
from models.store.spending import budgeted, pay
from models.store.tables import chats, steps
from models.stream import Episode
from models.turns import CallsClosedBy, ModelCall, ResultsCommit, StepEnd, StepOutcome

_CALL_NOT_RUN = (
    "This tool call was not run, because the answer ended before it was complete. "
    "Call the tool again if you still need it."
)


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt may run: its episode on the stream, its snapshot version, whom it is for, which model and
    which reasoning effort the chat names, and what the chat says about its tools.

    `turn_started_at`: when the user's message entered history. `after_failure`: the attempt before this one
    ended with a failure of the provider, and was not lost. `payer`: whose pots the call falls into;
    `budgeted`: whether there is a budget for any of them.
    """

    episode: Episode
    snapshot_version: int
    owner_id: UUID
    organization_id: UUID
    model_config_id: UUID
    reasoning_effort: str | None
    turn_started_at: datetime
    after_failure: bool
    tools: ChatTools
    payer: Payer
    budgeted: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model call produced, in stored form.

    `calls` are the calls the model asks us to run, `not_run` those that were cut off before they were
    whole, or that it did not wait for; `usage` counts tokens, and `bill` is what they cost.
    `compaction_due`: the context is so full that the conversation is to be summarized before it goes on.
    `goes_on`: the model has paused, and goes on with this answer in the next step of the turn.
    """

    parts: list[dict[str, Any]]
    calls: Sequence[ToolCallRef]
    model_config_id: UUID
    not_run: Sequence[ToolCallRef] = ()
    usage: dict[str, int] | None = None
    runtime_ms: int | None = None
    provider_response_id: str | None = None
    compaction_due: bool = False
    goes_on: bool = False
    bill: Bill | None = None


@dataclass(frozen=True, slots=True)
class RetryLater:
    """A transient failure was noted: wait this long before the next attempt."""

    attempt: int
    delay_seconds: float
    state: ChatState


@dataclass(frozen=True, slots=True)
class CutStep:
    """A model call of an interrupted turn that has been begun, by how many attempts `episode` says, and of
    which nothing was committed."""

    call: ModelCall
    episode: Episode
    model_config_id: UUID


_READ_CUT_STEP = select(
    chats.c.turn,
    chats.c.step,
    chats.c.open_calls,
    chats.c.history_version,
    chats.c.generation_attempt,
    chats.c.last_model_config_id,
).where(
    chats.c.id == bindparam("chat"),
    chats.c.status == ChatStatus.INTERRUPTING,
    chats.c.turn_ended.is_(False),
    chats.c.generation_attempt > 0,
)

_HAD_RETRY = chats.c.retry_state.is_not(None)
_NEW_VERSION = chats.c.snapshot_version + 1

_BEGIN = (
    update(chats)
    .where(
        chats.c.id == bindparam("chat"),
        chats.c.status == ChatStatus.RUNNING,
        chats.c.turn == bindparam("at_turn"),
        chats.c.step == bindparam("after_step"),
        chats.c.turn_ended.is_(False),
        chats.c.compaction_due.is_(None),
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
        chats.c.organization_id,
        chats.c.last_model_config_id,
        chats.c.last_reasoning_effort,
        chats.c.turn_started_at,
        (chats.c.retry_state_version == chats.c.snapshot_version).label("after_failure"),
        chats.c.tools,
        FAMILY.label("family"),
        budgeted(chats.c.organization_id, chats.c.owner_id, FAMILY).label("budgeted"),
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
            return Begun(
                Episode(row.history_version, row.generation_attempt),
                row.snapshot_version,
                row.owner_id,
                row.organization_id,
                row.last_model_config_id,
                row.last_reasoning_effort,
                row.turn_started_at,
                row.after_failure,
                ChatTools.model_validate(row.tools or {}),
                Payer(row.organization_id, row.owner_id, call.chat_id, row.family),
                row.budgeted,
            )
    async with transaction(engine) as conn:
        bundle = await Bundle.open(conn, call.chat_id)
        return await _how_it_ended(bundle, call)


async def commit_step(
    engine: AsyncEngine, call: ModelCall, answer: Answer, *, interrupted: bool = False
) -> StepOutcome:
    """Put the answer of a model call into history, whole or as far as it got.

    An interrupted one answers its open calls itself and, with an empty queue, ends the interruption. An
    answer that is whole but meets a chat that is being interrupted is kept and treated the same.
    """
    async with transaction(engine) as conn:
        bundle = await Bundle.open(conn, call.chat_id)
        row = bundle.row
        under_way = row["status"] in (ChatStatus.RUNNING, ChatStatus.INTERRUPTING)
        in_time = (row["turn"], row["step"]) == (call.turn, call.step - 1) and under_way
        if not in_time:
            if answer.bill is not None:  # too late to be of use, and paid for all the same
                await pay(conn, answer.bill)
            return await _how_it_ended(bundle, call)
        stopped = interrupted or row["status"] == ChatStatus.INTERRUPTING
        if answer.parts:
            bundle.add_messages([_assistant_row(answer)], turn=call.turn, step=call.step)
        bundle.add_messages(_synthetic_rows(answer, stopped=stopped), turn=call.turn, step=call.step)
        open_calls = [] if stopped else [ref.stored() for ref in answer.calls]
        goes_on = answer.goes_on and not stopped
        ended = not open_calls and not goes_on
        # A pause is no place to compact: the vendor wants this very answer back.
        compacts = answer.compaction_due and not stopped and not goes_on
        why = CompactionReason.THRESHOLD if ended else CompactionReason.INLINE
        bundle.set(compaction_due=why if compacts else None)
        if ended and bundle.queued == 0 and not compacts:
            bundle.set(status=ChatStatus.WAITING)
            if not stopped:
                bundle.notify_finished()
        bundle.set(
            step=call.step, open_calls=open_calls, turn_ended=ended, provider_failures=0, failing_since=None
        )
        end = StepEnd.INTERRUPTED if stopped else StepEnd.COMMITTED
        bundle.record_step(call.turn, call.step, end)
        bundle.charge(answer.bill)
        return StepOutcome(end=end, state=await bundle.close())


async def fail_step(engine: AsyncEngine, call: ModelCall, failure: Failure) -> StepOutcome:
    """Rest the chat in `error`. What the failed attempts streamed is not kept."""
    async with transaction(engine) as conn:
        bundle = await Bundle.open(conn, call.chat_id)
        if not _is_current(bundle, call):
            return await _how_it_ended(bundle, call)
        return await _rest_in_error(bundle, failure)


async def note_overflow(
    engine: AsyncEngine, call: ModelCall, failure: Failure, threshold_percent: int
) -> StepOutcome:
    """The model refused the prompt for its length: have it compacted. If that was done just before, or if
    the owner wants no automatic compaction, rest the chat in `error`."""
    async with transaction(engine) as conn:
        bundle = await Bundle.open(conn, call.chat_id)
        if not _is_current(bundle, call):
            return await _how_it_ended(bundle, call)
        just_done = bundle.row["compacted_step"] == bundle.row["step"]
        if just_done or threshold_percent >= NEVER_PERCENT:
            return await _rest_in_error(bundle, failure)
        bundle.set(compaction_due=CompactionReason.OVERFLOW)
        return StepOutcome(end=StepEnd.OVERFLOWED, state=await bundle.close())


async def note_failure(
    engine: AsyncEngine, call: ModelCall, failure: Failure, limits: RetryLimits = RetryLimits()
) -> RetryLater | StepOutcome:
    """Count a transient failure and say when to try again; a limit turns it into an error.

    Where the vendor has forgotten the conversation, the next attempt finds no id in it to go on from.
    """
    async with transaction(engine) as conn:
        bundle = await Bundle.open(conn, call.chat_id)
        if not _is_current(bundle, call):
            return await _how_it_ended(bundle, call)
        if failure.chain_broken:
            await forget_answers(conn, call.chat_id)
        failures = bundle.row["provider_failures"] + 1
        now = datetime.now(UTC)
        since = bundle.row["failing_since"] or now
        delay = retry_delay_seconds(failures, failure.retry_after_seconds)
        resumes = now + timedelta(seconds=delay)
        if failures >= limits.attempts or resumes > since + timedelta(seconds=limits.total_seconds):
            return await _rest_in_error(bundle, _given_up(failure, failures))
        payload = {
            "attempt": failures,
            "delay_ms": round(delay * 1000),
            "error": failure.message,
            "kind": failure.kind,
            "provider": failure.provider,
            "status_code": failure.status_code,
            "retrying_at": resumes.isoformat(),
        }
        bundle.set(
            provider_failures=failures,
            failing_since=since,
            retry_state={key: value for key, value in payload.items() if value is not None},
        )
        return RetryLater(failures, delay, await bundle.close())


async def commit_results(engine: AsyncEngine, commit: ResultsCommit) -> ChatState:
    """Move the results of a step's tools from the ledger into history, all together, in call order.

    Calls that wait for somebody outside stay open. The success of a stop-after tool ends the turn, behind the
    compaction where one is due.
    """
    async with transaction(engine) as conn:
        bundle = await Bundle.open(conn, commit.chat_id)
        state = bundle.state()
        ran = [call for call in state.open_calls if call.runnable]
        if (state.turn, state.step) != (commit.turn, commit.step) or not ran:
            return state
        rows = await results_for(bundle, ran, lambda call: "The tool ended without a result.")
        bundle.add_messages(rows, turn=commit.turn, step=commit.step)
        stop = any(
            c.stop_after and not row.parts[0].get("is_error") for c, row in zip(ran, rows, strict=True)
        )
        waiting = [call.stored() for call in state.open_calls if not call.runnable]
        bundle.set(open_calls=waiting, turn_ended=stop or bundle.row["turn_ended"])
        compacts = bundle.row["compaction_due"] is not None
        if bundle.changes["turn_ended"] and not waiting and not compacts and bundle.queued == 0:
            bundle.set(status=ChatStatus.WAITING)
            bundle.notify_finished()
        return await bundle.close()


async def read_cut_step(engine: AsyncEngine, chat_id: UUID) -> CutStep | None:
    """The model call that an interrupt has met, where no attempt at it is there to say what it had."""
    async with reading(engine) as conn:
        row = (await conn.execute(_READ_CUT_STEP, {"chat": chat_id})).one_or_none()
    if row is None or row.open_calls:  # with calls open, it is their results that were shown
        return None
    return CutStep(
        ModelCall(chat_id=chat_id, turn=row.turn, step=row.step + 1),
        Episode(row.history_version, row.generation_attempt),
        row.last_model_config_id,
    )


def _assistant_row(answer: Answer) -> NewMessage:
    return NewMessage(
        "assistant",
        answer.parts,
        model_config_id=answer.model_config_id,
        usage=answer.usage,
        cost_micros=answer.bill.known_cost_micros if answer.bill else None,
        runtime_ms=answer.runtime_ms,
        provider_response_id=answer.provider_response_id,
    )


def _synthetic_rows(answer: Answer, *, stopped: bool) -> list[NewMessage]:
    """Results of the calls of this answer that nobody will run, in call order by kind."""
    reasons = [(call, _CALL_NOT_RUN) for call in answer.not_run]
    if stopped:
        reasons += [(call, CLOSED_BECAUSE[CallsClosedBy.INTERRUPT]) for call in answer.calls]
    return [NewMessage("tool", [dump_part(synthetic_result(call, why))]) for call, why in reasons]


def _is_current(bundle: Bundle, call: ModelCall) -> bool:
    row = bundle.row
    here = (row["turn"], row["step"], row["status"])
    return here == (call.turn, call.step - 1, ChatStatus.RUNNING)


def _given_up(failure: Failure, attempts: int) -> Failure:
    """The last failure, as an error that nobody retries."""
    if attempts == 1:
        why = "It asks to wait for longer than a chat waits. Send the message again later."
    else:
        why = f"Gave up after {attempts} attempts. Send the message again later."
    return failure.model_copy(update={"message": f"{failure.message} {why}", "retryable": False})


async def _rest_in_error(bundle: Bundle, failure: Failure) -> StepOutcome:
    rest_in_error(bundle, failure)
    bundle.notify_failed(failure.message)
    return StepOutcome(end=StepEnd.FAILED, state=await bundle.close())


def rest_in_error(bundle: Bundle, failure: Failure) -> None:
    """The chat stops and says why. Nothing is tried again. The inbox is the caller's business."""
    bundle.forget_compaction()
    bundle.set(
        status=ChatStatus.ERROR,
        last_error=failure.as_chat_error(),
        retry_state=None,
        provider_failures=0,
        failing_since=None,
    )


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
