"""The tool `execute`: a shell command in the chat's sandbox."""

import re
import shlex

from pydantic import BaseModel, Field, JsonValue

from activities.tools.duration import MAX_SECONDS, seconds_of
from activities.tools.process_result import LOST, age_seconds, process_result
from activities.tools.tool import OutcomeUnknown, Tool, ToolContext, ToolError
from workspace.client import Workspace, Workspaces
from workspace.errors import KeyConflict, WorkspaceError
from workspace.errors import OutcomeUnknown as ActUnknown
from workspace.protocol import Output, Process

_ENVIRONMENT = {
    "CODER_CHAT_AGENT": "true",
    "EDITOR": "true",
    "GIT_EDITOR": "true",
    "GIT_PAGER": "cat",
    "GIT_SEQUENCE_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "TERM": "dumb",
    "VISUAL": "true",
}

_DUMPS = frozenset({"cat", "egrep", "fgrep", "grep", "head", "less", "more", "nl", "tail"})
_MORE_THAN_A_COMMAND = re.compile(r"[|&;<>()$`\n]")
_READ_FILE_NOTE = "To look into files, prefer the tool read_file: it numbers the lines and reads in pieces."

_DESCRIPTION = """\
Run one shell command with sh -c, in the Linux sandbox of this chat. Files in the home directory \
stay from call to call.
- The command is a shell command already: do not wrap it in sh -c or bash -c without need.
- Nobody can answer: do not start programs that ask or that take over the terminal (editors, pagers, REPLs).
- A command that takes longer than timeout keeps running; its process id is in the result. For long work \
raise timeout, or set run_in_background, and follow it with process_output.
- Use read_file, write_file and edit_files to read and change files, not cat, echo or sed.\
"""


class ExecuteInput(BaseModel):
    """A command and how to run it."""

    command: str = Field(description="The shell command.")
    model_intent: str = Field(
        default="",
        description="A few words for the user on what this is for, such as: running the tests. Do not repeat "
        "the command.",
    )
    timeout: str = Field(
        default="10s",
        description="How long to wait for the end of the command, for example 30s, 5m or 1h30m; 4h at most. "
        "The command goes on after it.",
    )
    workdir: str | None = Field(
        default=None, description="Directory to run it in. The home directory of the sandbox if not given."
    )
    run_in_background: bool = Field(
        default=False,
        description="Return at once and let the command run, for servers and long work. Follow it with "
        "process_output, end it with process_signal.",
    )


def execute(workspaces: Workspaces) -> Tool[ExecuteInput]:
    """The tool, for the workspaces that commands run in."""

    async def run(arguments: ExecuteInput, context: ToolContext) -> JsonValue:
        command, background = without_ampersand(arguments.command, background=arguments.run_in_background)
        if not command.strip():
            raise ToolError("command: it is empty. Give a shell command.")
        wait_seconds = seconds_of(arguments.timeout, "timeout")
        workspace = workspaces.of(context.chat_id)
        try:
            process = await workspace.start(
                context.call_id,
                command,
                workdir=arguments.workdir or None,
                background=background,
                environment=_ENVIRONMENT,
            )
        except ActUnknown:
            raise OutcomeUnknown(
                "It is not known whether the command was run: the sandbox was ended just then."
                " It was not started again. Check what it may have done before you run it again."
            ) from None
        except KeyConflict as error:
            raise ToolError(str(error)) from None
        except WorkspaceError as error:
            return {"success": False, "exit_code": -1, "wall_duration_ms": 0, "error": str(error)}
        if background:
            return _started(process)
        return await _ended(workspace, process, arguments, wait_seconds)

    async def cancel(arguments: ExecuteInput, context: ToolContext) -> None:
        await workspaces.of(context.chat_id).cancel(context.call_id)

    return Tool(
        name="execute",
        description=_DESCRIPTION,
        input_model=ExecuteInput,
        run=run,
        repeatable=False,
        recover=run,  # the call finds its process again, and never starts it again
        cancel=cancel,
        timeout_seconds=MAX_SECONDS + 120,
    )


def without_ampersand(command: str, *, background: bool) -> tuple[str, bool]:
    """The command without the `&` at its end, which means background, and whether it is to run there."""
    stripped = command.rstrip()
    if background or not stripped.endswith("&") or stripped.endswith(("&&", "|&")):
        return command, background
    return stripped[:-1].rstrip(), True


def note_on(command: str) -> str | None:
    """A hint where another tool would do better."""
    if _MORE_THAN_A_COMMAND.search(command):
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    return _READ_FILE_NOTE if words and words[0] in _DUMPS else None


async def _ended(
    workspace: Workspace, process: Process, arguments: ExecuteInput, wait_seconds: float
) -> JsonValue:
    """Wait for the end of a process, and tell how it was."""
    left = max(0.0, wait_seconds - age_seconds(process))
    try:
        output = await workspace.read_output(process.id, left)
        error = f"The command did not end within {arguments.timeout}."
    except WorkspaceError as problem:
        error = str(problem)
        try:
            output = await workspace.read_output(process.id)
        except WorkspaceError:
            return {**_started(process), "success": False, "exit_code": -1, "error": f"{error} {_FOLLOW}"}
    _require_known(output)
    return process_result(output, error=f"{error} {_FOLLOW}", note=note_on(arguments.command))


_FOLLOW = "It keeps running: follow it with process_output, or end it with process_signal."


def _started(process: Process) -> dict[str, JsonValue]:
    return {
        "success": True,
        "exit_code": 0,
        "wall_duration_ms": round(age_seconds(process) * 1000),
        "background_process_id": process.id,
    }


def _require_known(output: Output) -> None:
    if output.process.state == "lost":
        raise OutcomeUnknown(LOST)
