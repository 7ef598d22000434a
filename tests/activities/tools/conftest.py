"""A real sandbox for the tools that need one."""

from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest

from tests.activities.tools.sandboxed import Chat
from workspace.client import Workspaces
from workspace.sandbox.bubblewrap import Limits
from workspace.sandbox.trial import bubblewrap_that_works


@pytest.fixture(scope="session")
async def workspaces(tmp_path_factory: pytest.TempPathFactory) -> Workspaces:
    root = tmp_path_factory.mktemp("workspaces")
    return Workspaces(root, await bubblewrap_that_works(root, Limits(512 * 1024**2, 64)))


@pytest.fixture(scope="module")
async def chat(workspaces: Workspaces) -> AsyncGenerator[Chat]:
    """A chat whose sandbox the tests of a module share."""
    chat = Chat(uuid4(), workspaces)
    yield chat
    await workspaces.of(chat.id).shut_down()
