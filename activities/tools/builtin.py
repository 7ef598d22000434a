"""The tools that come with Perdure."""

from typing import Any

from activities.tools.attach_file import attach_file
from activities.tools.current_time import current_time
from activities.tools.edit_files import edit_files
from activities.tools.execute import execute
from activities.tools.process_list import process_list
from activities.tools.process_output import process_output
from activities.tools.process_signal import process_signal
from activities.tools.read_file import read_file
from activities.tools.tool import Tool
from activities.tools.write_file import write_file
from workspace.client import Workspaces


def builtin_tools(workspaces: Workspaces | None = None) -> list[Tool[Any]]:
    """All of them; those that need a sandbox only where there are workspaces."""
    return [current_time(), *(sandbox_tools(workspaces) if workspaces else ())]


def sandbox_tools(workspaces: Workspaces) -> list[Tool[Any]]:
    """Commands and files."""
    return [
        execute(workspaces),
        process_output(workspaces),
        process_list(workspaces),
        process_signal(workspaces),
        read_file(workspaces),
        write_file(workspaces),
        edit_files(workspaces),
        attach_file(workspaces),
    ]
