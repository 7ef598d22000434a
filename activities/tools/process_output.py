"""The tool `process_output`: what a process wrote, once it is over or the wait is."""

from pydantic import BaseModel, Field, JsonValue

from activities.tools.duration import MAX_SECONDS, seconds_of
from activities.tools.process_result import LOST, process_result
from activities.tools.tool import Tool, ToolContext, ToolError
from workspace.client import Workspaces
from workspace.errors import WorkspaceError


class ProcessOutputInput(BaseModel):
    """Which process, and how long to wait."""

    process_id: str = Field(description="The background_process_id that execute returned.")
    wait_timeout: str = Field(
        default="10s",
        description="How long to wait for the end of the process, for example 1m; 4h at most. With "
        "0s the answer comes at once.",
    )


def process_output(workspaces: Workspaces) -> Tool[ProcessOutputInput]:
    """The tool, for the workspaces that processes run in."""

    async def run(arguments: ProcessOutputInput, context: ToolContext) -> JsonValue:
        wait_seconds = seconds_of(arguments.wait_timeout, "wait_timeout", zero=True)
        try:
            output = await workspaces.of(context.chat_id).read_output(arguments.process_id, wait_seconds)
        except WorkspaceError as error:
            raise ToolError(str(error)) from None
        return process_result(output, error=LOST if output.process.state == "lost" else None)

    return Tool(
        name="process_output",
        description="Get the output of a process that execute started, waiting for its end for a while. A "
        "process that is still running then is no failure: ask again.",
        input_model=ProcessOutputInput,
        run=run,
        repeatable=True,
        timeout_seconds=MAX_SECONDS + 120,
    )
