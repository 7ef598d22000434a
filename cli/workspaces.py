"""The workspaces of a worker: there, or a line in the log that says why not."""

import structlog

from runtime.settings import Settings
from workspace.client import Workspaces
from workspace.errors import SandboxUnavailable
from workspace.sandbox.bubblewrap import Limits
from workspace.sandbox.trial import bubblewrap_that_works

log = structlog.get_logger(__name__)


async def open_workspaces(settings: Settings) -> Workspaces | None:
    """Workspaces in the strongest sandbox that this machine admits; None without one, or if not wanted."""
    if not settings.sandbox or settings.workspace_dir is None:
        log.info("no sandbox is configured: tools for commands and files are not offered")
        return None
    limits = Limits(
        memory_bytes=settings.sandbox_memory_bytes,
        processes=settings.sandbox_processes,
        network=settings.sandbox_network,
    )
    root = settings.workspace_dir.absolute()
    try:
        sandbox = await bubblewrap_that_works(root, limits)
    except SandboxUnavailable as error:
        log.warning(
            "the sandbox does not work: tools for commands and files are not offered", reason=str(error)
        )
        return None
    log.info("commands run in a sandbox", confinement=sandbox.confinement.value, network=limits.network)
    return Workspaces(root, sandbox)
