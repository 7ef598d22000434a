"""Calling tools of a sandbox as the loop does."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pydantic import JsonValue

from activities.tools.builtin import sandbox_tools
from activities.tools.tool import ToolContext, ToolError
from workspace.client import Workspaces


@dataclass(frozen=True)
class Chat:
    """A chat with a sandbox."""

    id: UUID
    workspaces: Workspaces

    async def call(self, name: str, call_id: str | None = None, /, **arguments: Any) -> Any:
        """The result of a call, which is of another id each time if none is given."""
        (tool,) = (tool for tool in sandbox_tools(self.workspaces) if tool.name == name)
        given: JsonValue = arguments
        context = ToolContext(self.id, call_id or uuid4().hex)
        return await tool.run(tool.input_model.model_validate(given), context)

    async def refusal(self, name: str, /, **arguments: Any) -> str:
        """What a call that fails says."""
        try:
            result = await self.call(name, **arguments)
        except ToolError as error:
            return str(error)
        raise AssertionError(result)
