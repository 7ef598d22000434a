"""The tool `write_file`: a whole file at once."""

from pydantic import BaseModel, Field, JsonValue

from activities.tools.tool import OutcomeUnknown, Tool, ToolContext, ToolError
from workspace.client import Workspaces
from workspace.errors import OutcomeUnknown as ActUnknown
from workspace.errors import WorkspaceError


class WriteFileInput(BaseModel):
    """A file and what shall be in it."""

    path: str = Field(description="The file; a relative path starts at the home directory of the sandbox.")
    content: str = Field(description="All that shall be in the file. It may be empty.")


def write_file(workspaces: Workspaces) -> Tool[WriteFileInput]:
    """The tool, for the workspaces that files are in."""

    async def run(arguments: WriteFileInput, context: ToolContext) -> JsonValue:
        workspace = workspaces.of(context.chat_id)
        try:
            await workspace.write_file(context.call_id, arguments.path, arguments.content)
        except ActUnknown:
            raise OutcomeUnknown(
                f"The write may have been applied. Check {arguments.path} first, then write again if need be."
            ) from None
        except WorkspaceError as error:
            raise ToolError(str(error)) from None
        return {"ok": True}

    return Tool(
        name="write_file",
        description="Write a file of the sandbox, replacing what was in it. Directories it needs are made. "
        "To change parts of a file use edit_files.",
        input_model=WriteFileInput,
        run=run,
        repeatable=False,
        recover=run,
    )
