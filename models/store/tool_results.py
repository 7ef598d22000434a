"""The ledger of tool results, keyed by call."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.reading import reading
from models.store.tables import messages, tool_results
from models.turns import ToolRun


async def find_result(engine: AsyncEngine, run: ToolRun) -> bool:
    """Whether this call has a result already."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(tool_results.c.tool_call_id).where(
                tool_results.c.chat_id == run.chat_id,
                tool_results.c.turn == run.turn,
                tool_results.c.step == run.step,
                tool_results.c.tool_call_id == run.call.id,
            )
        )
        return result.first() is not None


async def record_result(engine: AsyncEngine, run: ToolRun, part: dict[str, Any]) -> None:
    """Store a result; the first one of a call stays."""
    async with reading(engine) as conn:  # one statement: it commits by itself
        await conn.execute(
            insert(tool_results)
            .values(chat_id=run.chat_id, turn=run.turn, step=run.step, tool_call_id=run.call.id, part=part)
            .on_conflict_do_nothing()
        )


async def read_arguments(engine: AsyncEngine, run: ToolRun) -> Any:
    """The arguments of a call, as the model wrote them.

    Raises:
        LookupError: the step has no such call.
    """
    async with reading(engine) as conn:
        result = await conn.execute(
            select(messages.c.content).where(
                messages.c.chat_id == run.chat_id,
                messages.c.turn == run.turn,
                messages.c.step == run.step,
                messages.c.role == "assistant",
            )
        )
        content: list[dict[str, Any]] = result.scalar_one_or_none() or []
    for part in content:
        if part["type"] == "tool-call" and part["tool_call_id"] == run.call.id:
            return part.get("args")
    raise LookupError(f"step {run.turn}.{run.step} has no call {run.call.id}")
