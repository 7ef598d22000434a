"""One tool call: run it once, keep its result."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities import metrics
from activities.heartbeat import beating
from activities.tools.registry import ToolRegistry
from activities.tools.tool import ToolContext
from models.parts import ToolResultPart, dump_part
from models.store import tool_results
from models.turns import ToolRun


@dataclass(frozen=True)
class ToolCalls:
    engine: AsyncEngine
    tools: ToolRegistry

    @activity.defn
    async def run_tool(self, run: ToolRun) -> None:
        """Run a call unless its result is in the ledger already."""
        async with beating():
            if await tool_results.find_result(self.engine, run):
                return
            arguments = await tool_results.read_arguments(self.engine, run)
            context = ToolContext(run.chat_id, f"{run.turn}.{run.step}.{run.call.id}")
            outcome = await self.tools.run(run.call.name, arguments, context)
            if outcome.is_error:
                metrics.TOOL_ERRORS.labels(run.call.name).inc()
            part = ToolResultPart(
                tool_call_id=run.call.id,
                tool_name=run.call.name,
                result=outcome.result,
                is_error=outcome.is_error or None,
                created_at=datetime.now(UTC),
            )
            await tool_results.record_result(self.engine, run, dump_part(part))
