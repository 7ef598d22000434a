"""Real sandboxes, in every confinement this machine admits."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.workspace.box import Box
from workspace.client import Workspaces
from workspace.sandbox.bubblewrap import Bubblewrap, Confinement, Limits
from workspace.sandbox.trial import find_bwrap

LIMITS = Limits(memory_bytes=256 * 1024**2, processes=48, idle_seconds=60)


@pytest.fixture(params=list(Confinement), ids=lambda confinement: confinement.name.lower())
def confinement(request: pytest.FixtureRequest) -> Confinement:
    if request.param is Confinement.ACCOUNT and os.geteuid() != 0:
        pytest.skip("accounts of their own are given by root")
    return request.param


@pytest.fixture
def sandbox(confinement: Confinement) -> Bubblewrap:
    return Bubblewrap(find_bwrap(), LIMITS, confinement)


@pytest.fixture
def workspaces(tmp_path: Path, sandbox: Bubblewrap) -> Workspaces:
    return Workspaces(tmp_path / "workspaces", sandbox)


@pytest.fixture
async def box(workspaces: Workspaces) -> AsyncGenerator[Box]:
    """A workspace, ended with the test."""
    chat: UUID = uuid4()
    box = Box(workspaces.of(chat), workspaces.layout(chat))
    yield box
    await box.workspace.shut_down()
