"""The ledger of tool calls: claimed before they run, finished once (`models.tables.ToolResult`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, and_, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.chat_state import ChatStatus
from models.chat_tools import ChatTools
from models.store.configuration import PROVIDER_LABEL
from models.store.file_links import adopt_files, named_files
from models.store.reading import reading, transaction
from models.store.tables import ai_providers, chats, messages, model_configs, tool_results
from models.stream import Episode
from models.turns import ToolRun


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A tool call of the step a chat is at.

    Attributes:
        running: the chat is at this step. False: it is being interrupted, or has moved on without the result,
            and what an attempt has left running is to be ended.
        arguments: as the model wrote them.
        siblings: names of all calls of the step, in call order, this one included.
        status: of its entry in the ledger, None if it has none.
        input_hash: of the arguments it was claimed with.
        provider, model, context_limit: of the model that called.
        tools: what the chat says about its tools.
    """

    running: bool
    arguments: Any
    siblings: Sequence[str]
    status: str | None
    input_hash: str | None
    provider: str
    model: str
    context_limit: int
    tools: ChatTools


@dataclass(frozen=True, slots=True)
class StepResults:
    """The results of a step so far, in the order in which they came, each behind the files that its tool has
    attached; and the episode they are part of."""

    episode: Episode
    parts: list[dict[str, Any]]


_HERE = and_(
    chats.c.status == ChatStatus.RUNNING,
    chats.c.turn == bindparam("at_turn"),
    chats.c.step == bindparam("at_step"),
)

_READ_CALL = (
    select(
        _HERE.label("running"),
        messages.c.content,
        tool_results.c.status,
        tool_results.c.input_hash,
        PROVIDER_LABEL.label("provider"),
        model_configs.c.model,
        model_configs.c.context_limit,
        chats.c.tools,
    )
    .select_from(chats)
    .join(
        messages,
        and_(
            messages.c.chat_id == chats.c.id,
            messages.c.turn == bindparam("at_turn"),
            messages.c.step == bindparam("at_step"),
            messages.c.role == "assistant",
            messages.c.compressed.is_(False),
        ),
    )
    .join(model_configs, model_configs.c.id == messages.c.model_config_id)
    .join(ai_providers, ai_providers.c.id == model_configs.c.ai_provider_id)
    .outerjoin(
        tool_results,
        and_(
            tool_results.c.chat_id == chats.c.id,
            tool_results.c.turn == messages.c.turn,
            tool_results.c.step == messages.c.step,
            tool_results.c.tool_call_id == bindparam("call"),
        ),
    )
    .where(chats.c.id == bindparam("chat"))
)

_LOCK_EPISODE = (
    select(chats.c.history_version, chats.c.generation_attempt)
    .where(
        chats.c.id == bindparam("chat"),
        chats.c.turn == bindparam("at_turn"),
        chats.c.step == bindparam("at_step"),
    )
    .with_for_update()
)

_PARTS = (
    select(tool_results.c.files, tool_results.c.part)
    .where(
        tool_results.c.chat_id == bindparam("chat"),
        tool_results.c.turn == bindparam("at_turn"),
        tool_results.c.step == bindparam("at_step"),
        tool_results.c.place.is_not(None),
    )
    .order_by(tool_results.c.place)
)


async def read_call(engine: AsyncEngine, run: ToolRun) -> CallRecord | None:
    """A call and what the ledger knows of it, also where an edit has deleted the step since; None if there is
    no such step.

    Raises:
        LookupError: the step has no such call.
    """
    async with reading(engine) as conn:
        result = await conn.execute(_READ_CALL, {**_step(run), "call": run.call.id})
        row = result.mappings().one_or_none()
    return None if row is None else _call_record(row, run)


def _call_record(row: RowMapping, run: ToolRun) -> CallRecord:
    calls = [part for part in row["content"] if part["type"] == "tool-call"]
    for part in calls:
        if part["tool_call_id"] == run.call.id:
            return CallRecord(
                running=row["running"],
                arguments=part.get("args"),
                siblings=[call["tool_name"] for call in calls],
                status=row["status"],
                input_hash=row["input_hash"],
                provider=row["provider"],
                model=row["model"],
                context_limit=row["context_limit"],
                tools=ChatTools.model_validate(row["tools"] or {}),
            )
    raise LookupError(f"step {run.turn}.{run.step} has no call {run.call.id}")


async def claim(engine: AsyncEngine, run: ToolRun, *, claimed_by: str, input_hash: str) -> bool:
    """Take a call that may run only once.

    Returns:
        Whether it may run now. False: an attempt before this one has taken it.
    """
    statement = (
        insert(tool_results)
        .values(
            **_key(run),
            status="claimed",
            claimed_by=claimed_by,
            input_hash=input_hash,
            claimed_at=func.clock_timestamp(),
        )
        .on_conflict_do_nothing()
        .returning(literal(True))
    )
    async with reading(engine) as conn:  # one statement: it commits by itself
        return (await conn.execute(statement)).scalar_one_or_none() is not None


async def record_result(
    engine: AsyncEngine,
    run: ToolRun,
    part: dict[str, Any],
    *,
    files: Sequence[dict[str, Any]] = (),
    unknown: bool = False,
) -> StepResults | None:
    """Store a result; the first one of a call stays, and only its files become the chat's.

    Args:
        files: parts of the files that the tool attaches. Their bytes are stored.

    Returns:
        What the step has then; None if the chat has moved on.
    """
    async with transaction(engine) as conn:
        # the lock gives results their places one after the other
        episode = await _lock_episode(conn, run)
        taken = (
            select(func.count() + 1)
            .select_from(tool_results)
            .where(
                tool_results.c.chat_id == run.chat_id,
                tool_results.c.turn == run.turn,
                tool_results.c.step == run.step,
                tool_results.c.place.is_not(None),
            )
            .scalar_subquery()
        )
        result = {
            "status": "unknown" if unknown else "finished",
            "part": part,
            "files": list(files) or None,
            "place": taken,
            "finished_at": func.clock_timestamp(),
        }
        first = await conn.scalar(
            insert(tool_results)
            .values(**_key(run), **result)
            .on_conflict_do_update(
                index_elements=["chat_id", "turn", "step", "tool_call_id"],
                set_=result,
                where=tool_results.c.status == "claimed",
            )
            .returning(literal(True))
        )
        if first and files and episode is not None:
            await adopt_files(conn, run.chat_id, named_files(files))
        return await _results(conn, run, episode)


async def read_results(engine: AsyncEngine, run: ToolRun) -> StepResults | None:
    """What the call's step has so far; None if the chat has moved on."""
    async with transaction(engine) as conn:
        return await _results(conn, run, await _lock_episode(conn, run))


async def _lock_episode(conn: AsyncConnection, run: ToolRun) -> Episode | None:
    row = (await conn.execute(_LOCK_EPISODE, _step(run))).one_or_none()
    return None if row is None else Episode(*row)


async def _results(conn: AsyncConnection, run: ToolRun, episode: Episode | None) -> StepResults | None:
    if episode is None:
        return None
    found = await conn.execute(_PARTS, _step(run))
    return StepResults(episode, [part for row in found for part in (*(row.files or ()), row.part)])


def _key(run: ToolRun) -> dict[str, Any]:
    return {"chat_id": run.chat_id, "turn": run.turn, "step": run.step, "tool_call_id": run.call.id}


def _step(run: ToolRun) -> dict[str, UUID | int]:
    return {"chat": run.chat_id, "at_turn": run.turn, "at_step": run.step}
