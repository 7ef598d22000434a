"""The tool `read_file`: numbered lines of a text file."""

from dataclasses import asdict

from pydantic import BaseModel, Field, JsonValue

from activities.tools.tool import Tool, ToolContext, ToolError
from workspace.client import Workspaces
from workspace.errors import WorkspaceError


class ReadFileInput(BaseModel):
    """Which lines of which file."""

    path: str = Field(description="The file; a relative path starts at the home directory of the sandbox.")
    offset: int = Field(default=1, ge=1, description="First line to read; the first of the file is 1.")
    limit: int = Field(default=2000, ge=1, le=2000, description="How many lines to read; 2000 at most.")


def read_file(workspaces: Workspaces) -> Tool[ReadFileInput]:
    """The tool, for the workspaces that files are in."""

    async def run(arguments: ReadFileInput, context: ToolContext) -> JsonValue:
        workspace = workspaces.of(context.chat_id)
        try:
            lines = await workspace.read_file(arguments.path, arguments.offset, arguments.limit)
        except WorkspaceError as error:
            raise ToolError(str(error)) from None
        return asdict(lines)

    return Tool(
        name="read_file",
        description="Read a text file of the sandbox, each line with its number in front and a tab after it. "
        "Reads up to 2000 lines and 32 KiB at once, of files up to 1 MiB; lines are cut at 1024 bytes. Read "
        "longer files in pieces with offset and limit.",
        input_model=ReadFileInput,
        run=run,
        repeatable=True,
    )
