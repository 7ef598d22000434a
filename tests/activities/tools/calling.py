"""Calling a tool as the loop does."""

from uuid import UUID

from pydantic import JsonValue

from activities.tools.outcome import ToolOutcome
from activities.tools.registry import ToolRegistry
from activities.tools.tool import ToolContext

CONTEXT = ToolContext(UUID(int=1), "1.1.call")


async def called(tools: ToolRegistry, name: str, raw_args: JsonValue) -> ToolOutcome:
    """What comes of a call that is run once."""
    ready = tools.prepare(name, raw_args)
    return ready if isinstance(ready, ToolOutcome) else await ready.run(CONTEXT)
