"""The tool `process_signal`: end a process."""

from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from activities.tools.tool import OutcomeUnknown, Tool, ToolContext, ToolError
from workspace.client import Workspaces
from workspace.errors import KeyConflict, ProcessNotFound, WorkspaceError
from workspace.errors import OutcomeUnknown as ActUnknown


class ProcessSignalInput(BaseModel):
    """Which process, and how to end it."""

    process_id: str = Field(description="The background_process_id that execute returned.")
    signal: Literal["terminate", "kill"] = Field(
        description="terminate asks the process to end (SIGTERM); kill ends it at once (SIGKILL)."
    )


def process_signal(workspaces: Workspaces) -> Tool[ProcessSignalInput]:
    """The tool, for the workspaces that processes run in."""

    async def run(arguments: ProcessSignalInput, context: ToolContext) -> JsonValue:
        workspace = workspaces.of(context.chat_id)
        try:
            message = await workspace.signal(context.call_id, arguments.process_id, arguments.signal)
        except ActUnknown:
            raise OutcomeUnknown(
                "The signal may have been sent. The tool process_list shows whether the process still runs."
            ) from None
        except (ProcessNotFound, KeyConflict) as error:
            raise ToolError(str(error)) from None
        except WorkspaceError as error:
            return {"success": False, "message": str(error)}
        return {"success": True, "message": message}

    return Tool(
        name="process_signal",
        description="End a process that execute started, together with all it started.",
        input_model=ProcessSignalInput,
        run=run,
        repeatable=False,
        recover=run,
    )
