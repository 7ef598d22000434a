"""Whether a worker has a sandbox to offer."""

from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from activities.tools.builtin import builtin_tools
from cli.workspaces import open_workspaces
from runtime.settings import Settings
from workspace.client import shut_down_all


async def test_commands_run_where_the_sandbox_works(tmp_path: Path) -> None:
    workspaces = await open_workspaces(Settings(workspace_dir=tmp_path / "workspaces"))
    assert workspaces is not None
    assert list((tmp_path / "workspaces").iterdir()) == []  # the trial leaves nothing
    assert {tool.name for tool in builtin_tools(workspaces)} == {
        *("current_time", "edit_files", "execute", "process_list", "process_output", "process_signal"),
        *("attach_file", "read_file", "write_file"),
    }


@pytest.mark.parametrize("settings", [Settings(), Settings(sandbox=False, workspace_dir=Path("/nowhere"))])
async def test_without_a_directory_or_when_turned_off_nothing_is_offered(settings: Settings) -> None:
    with capture_logs() as logs:
        assert await open_workspaces(settings) is None
    assert [entry["log_level"] for entry in logs] == ["info"]
    assert [tool.name for tool in builtin_tools(None)] == ["current_time"]


async def test_a_sandbox_that_does_not_work_is_reported_and_not_gone_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with capture_logs() as logs:
        assert await open_workspaces(Settings(workspace_dir=tmp_path / "file")) is None
    (entry,) = logs
    assert entry["log_level"] == "warning"
    assert "Not a directory" in entry["reason"]


async def test_all_sandboxes_can_be_ended_at_once(tmp_path: Path) -> None:
    workspaces = await open_workspaces(Settings(workspace_dir=tmp_path))
    assert workspaces is not None
    chats = [workspaces.of(uuid4()) for _ in range(3)]
    for chat in chats:
        await chat.start("a", "sleep 1000")
    await shut_down_all(tmp_path)
    for chat in chats:
        assert [process.state for process in await chat.list_processes()] == ["lost"]
    await shut_down_all(tmp_path)
