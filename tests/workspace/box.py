"""A workspace with short words for what tests do with it."""

import contextlib
import fcntl
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from workspace.client import Workspace
from workspace.layout import Layout
from workspace.protocol import Output


@dataclass(frozen=True)
class Box:
    workspace: Workspace
    layout: Layout

    async def run(self, command: str, *, wait_seconds: float = 20) -> Output:
        """Run a command to its end."""
        process = await self.workspace.start(uuid4().hex, command)
        return await self.workspace.read_output(process.id, wait_seconds)

    async def says(self, command: str) -> str:
        """What a command that succeeds writes."""
        output = await self.run(command)
        assert output.process.exit_code == 0, output.head
        return output.head + output.tail

    def kill_agent(self) -> None:
        """As the kernel would, when it is out of memory."""
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):  # the first took the others with it
                os.kill(pid, signal.SIGKILL)
        self.await_no_agent()

    def await_no_agent(self) -> None:
        """Wait until the agent has ended, which holds its lock until then, and all it ran with it."""
        with self.layout.lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
        deadline = time.monotonic() + 10
        while left := self._processes():
            assert time.monotonic() < deadline, left
            time.sleep(0.01)

    def _processes(self) -> list[int]:
        """All that see this workspace's files: agent, commands, and what holds the namespace."""
        marker = f"{self.layout.files} ".encode()
        return [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/mountinfo")
            if marker in _content(path) and int(path.parent.name) != os.getpid()
        ]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
