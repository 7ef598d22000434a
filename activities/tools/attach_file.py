"""The tool `attach_file`: give a file of the sandbox to the user."""

import asyncio

from pydantic import BaseModel, Field

from activities.tools.attaching import attachment
from activities.tools.tool import Result, Tool, ToolContext, ToolError, WithFiles
from workspace.client import Workspaces
from workspace.errors import WorkspaceError


class AttachFileInput(BaseModel):
    """Which file, and what to call it."""

    path: str = Field(description="The file; a relative path starts at the home directory of the sandbox.")
    name: str = Field(
        default="", description="The name under which the user gets it. That of the file if not given."
    )


def attach_file(workspaces: Workspaces) -> Tool[AttachFileInput]:
    """The tool, for the workspaces that files are in."""

    async def run(arguments: AttachFileInput, context: ToolContext) -> Result:
        try:
            data = await workspaces.of(context.chat_id).fetch_file(arguments.path)
        except WorkspaceError as error:
            raise ToolError(str(error)) from None
        file = await asyncio.to_thread(attachment, arguments.name or arguments.path, data)
        return WithFiles(
            {
                "ok": True,
                "path": arguments.path,
                "file_id": str(file.id),
                "name": file.name,
                "media_type": file.media_type,
                "size": len(data),
            },
            (file,),
        )

    return Tool(
        name="attach_file",
        description="Give a file of the sandbox to the user, who can look at it in this chat and download "
        "it. Takes PNG, JPEG, GIF and WebP images, PDF, JSON, CSV, Markdown and plain text, up to 10 MiB. "
        "The user gets it as it is now: attach it again if you change it.",
        input_model=AttachFileInput,
        run=run,
        repeatable=True,
    )
