"""Start of the agent; see `main`."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from workspace.agent.server import Agent

_KILLED_FIRST = "900"


@dataclass(frozen=True)
class Configuration:
    """What the one who starts the agent tells it, as JSON in its only argument.

    Attributes:
        listener: descriptor of the listening socket.
        home: where files and commands are.
        records: a directory for what the next agent must know.
        idle_seconds: it ends after this long without anything to do.
        memory_bytes: private memory one process may have.
        processes: processes and threads there may be.
        account: numeric user and group to become, when started as root.
    """

    listener: int
    home: str
    records: str
    idle_seconds: float
    memory_bytes: int
    processes: int
    account: int | None


def main() -> None:
    """Become harmless, then serve."""
    configuration = Configuration(**json.loads(sys.argv[1]))
    for number in (signal.SIGINT, signal.SIGQUIT):  # a shell that starts us in the background ignores them
        signal.signal(number, signal.SIG_DFL)
    _limit(configuration)
    if configuration.account is not None:
        os.setgroups([])
        os.setresgid(*[configuration.account] * 3)
        os.setresuid(*[configuration.account] * 3)  # the last capabilities go with it
    os.chdir(configuration.home)
    listener = socket.socket(fileno=configuration.listener)
    agent = Agent(Path(configuration.home), Path(configuration.records), configuration.idle_seconds)
    asyncio.run(agent.serve(listener))


def _limit(configuration: Configuration) -> None:
    """Limit ourselves, and with it all that we start."""
    # Reserved address space costs nothing, and run-times of JavaScript or Java reserve a lot of it.
    resource.setrlimit(resource.RLIMIT_DATA, (configuration.memory_bytes, configuration.memory_bytes))
    resource.setrlimit(resource.RLIMIT_NPROC, (configuration.processes, configuration.processes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        # when the machine runs out of memory, it should not be a database that has to go
        Path("/proc/self/oom_score_adj").write_text(_KILLED_FIRST)


if __name__ == "__main__":
    main()
