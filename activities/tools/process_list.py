"""The tool `process_list`: the processes of the chat."""

from pydantic import BaseModel, JsonValue

from activities.tools.process_result import exit_code
from activities.tools.tool import Tool, ToolContext, ToolError
from workspace.client import Workspaces
from workspace.errors import WorkspaceError
from workspace.protocol import Process


class ProcessListInput(BaseModel):
    """Nothing to choose."""


def process_list(workspaces: Workspaces) -> Tool[ProcessListInput]:
    """The tool, for the workspaces that processes run in."""

    async def run(arguments: ProcessListInput, context: ToolContext) -> JsonValue:
        try:
            processes = await workspaces.of(context.chat_id).list_processes()
        except WorkspaceError as error:
            raise ToolError(str(error)) from None
        return {"processes": [_told(process) for process in processes]}

    return Tool(
        name="process_list",
        description="List the processes that execute started in this chat, running and ended ones.",
        input_model=ProcessListInput,
        run=run,
        repeatable=True,
    )


def _told(process: Process) -> JsonValue:
    told: dict[str, JsonValue] = {
        "id": process.id,
        "command": process.command,
        "workdir": process.workdir,
        "background": process.background,
        "running": process.state == "running",
        "started_at": process.started_at,
    }
    if process.exit_code is not None:
        told["exit_code"] = exit_code(process)
    if process.exited_at is not None:
        told["exited_at"] = process.exited_at
    return told
