"""One tool call: run it once, keep its result."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.heartbeat import beating
from activities.tools.registry import ToolRegistry
from models.parts import dump_part
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
            part = await self.tools.run(run.call, arguments)
            await tool_results.record_result(self.engine, run, dump_part(part))
