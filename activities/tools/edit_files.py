"""The tool `edit_files`: replace texts in files, all or none."""

from pydantic import BaseModel, Field, JsonValue

from activities.tools.tool import OutcomeUnknown, Tool, ToolContext, ToolError
from workspace.client import Workspaces
from workspace.errors import OutcomeUnknown as ActUnknown
from workspace.errors import WorkspaceError
from workspace.protocol import Edit, FileEdits


class EditInput(BaseModel):
    """One replacement."""

    search: str = Field(
        description="The text to replace, exactly as it is in the file, white space included. It must occur "
        "exactly once, unless replace_all is set."
    )
    replace: str = Field(description="What to put in its place.")
    replace_all: bool = Field(default=False, description="Replace every occurrence.")


class FileEditsInput(BaseModel):
    """The replacements in one file."""

    path: str = Field(description="The file; a relative path starts at the home directory of the sandbox.")
    edits: list[EditInput] = Field(min_length=1, description="The edits, applied in this order.")


class EditFilesInput(BaseModel):
    """The files to change."""

    files: list[FileEditsInput] = Field(min_length=1, description="The files to change, with their edits.")


def edit_files(workspaces: Workspaces) -> Tool[EditFilesInput]:
    """The tool, for the workspaces that files are in."""

    async def run(arguments: EditFilesInput, context: ToolContext) -> JsonValue:
        files = [
            FileEdits(file.path, [Edit(edit.search, edit.replace, edit.replace_all) for edit in file.edits])
            for file in arguments.files
        ]
        try:
            await workspaces.of(context.chat_id).edit_files(context.call_id, files)
        except ActUnknown:
            raise OutcomeUnknown(
                "The edit may have been applied. Check the files first, then edit again if need be."
            ) from None
        except WorkspaceError as error:
            raise ToolError(str(error)) from None
        return {"ok": True}

    return Tool(
        name="edit_files",
        description="Change files of the sandbox by replacing texts in them. All edits of all files are "
        "applied, or none if one of them does not fit.",
        input_model=EditFilesInput,
        run=run,
        repeatable=False,
        recover=run,
    )
