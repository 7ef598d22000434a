"""What can go wrong with a workspace, in words for the one who uses it."""


class WorkspaceError(Exception):
    """The workspace could not do what it was asked; the message says why."""


class ProcessNotFound(WorkspaceError):
    """There is no such process in this workspace."""


class KeyConflict(WorkspaceError):
    """The key of this act was used for another one."""


class OutcomeUnknown(WorkspaceError):
    """The act was asked for, and whether it was done cannot be told any more."""


class WorkspaceUnreachable(WorkspaceError):
    """The agent cannot be started, or the connection to it broke."""


class ConnectionLost(WorkspaceUnreachable):
    """The connection broke after something was asked; it may have been done."""


class SandboxUnavailable(Exception):
    """This machine cannot run the sandbox; the message says why, and what would help."""
