"""What can go wrong with a stack, in words for the person who started it."""

from pathlib import Path


class StackError(Exception):
    """The stack cannot start or go on. The message says why and what to do next."""


class PortTaken(StackError):
    """A port that was asked for by number is in use by somebody else."""

    def __init__(self, port: int, option: str) -> None:
        super().__init__(
            f"port {port}, asked for with {option}, is already in use. "
            f"Stop what listens there, give another port, or leave {option} out to have a free one chosen."
        )
        self.port = port
        self.option = option


class AlreadyRunning(StackError):
    """Another launcher holds the data directory."""

    def __init__(self, directory: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        stop = f"Stop it first (kill {pid})" if pid else "Stop it first"
        super().__init__(
            f"a stack is already running on {directory}, started by {holder}. "
            f"{stop}, or start a second one beside it with --data-dir."
        )
        self.pid = pid


class PartFailed(StackError):
    """One part could not be started, or died too often.

    Attributes:
        part: Name of the part.
        log: Where its whole output is.
        tail: The last lines it wrote in its last run.
    """

    def __init__(self, part: str, reason: str, log: Path, tail: list[str]) -> None:
        said = "".join(f"\n    {line}" for line in tail) or "\n    (it wrote nothing)"
        super().__init__(f"{part} {reason}. Its last words:{said}\n  Its whole log: {log}")
        self.part = part
        self.log = log
        self.tail = tail
