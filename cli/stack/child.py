"""One running child process: its start, its end, its output."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cli.stack import gate
from cli.stack.guard import Guard
from cli.stack.guardian import started
from cli.stack.part import Command

if TYPE_CHECKING:
    import psutil

_DYING_SECONDS = 5.0
_TAIL_LINES = 12
_TAIL_BYTES = 16_384


class Child:
    """A process in a session of its own, so that Ctrl-C in a terminal reaches the launcher only.

    Must be made inside a running event loop, and belongs to it.

    Args:
        command: What to run.
        log: Its output is added there.
        guard: Is told of it, from start to end.
        stop_signal: Asks it to stop.
        stop_seconds: How long it may take to obey.
        gated: It shall wait at its gate until `open_gate`.
    """

    def __init__(
        self,
        command: Command,
        log: Path,
        guard: Guard,
        *,
        stop_signal: signal.Signals,
        stop_seconds: float,
        gated: bool = False,
    ) -> None:
        self.log = log
        self._guard = guard
        self._frozen = False
        self._stop_signal = stop_signal
        self._stop_seconds = stop_seconds
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[int] = self._loop.create_future()
        privileges = command.privileges
        with open(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as output:
            self._log_start = output.tell() if output.seek(0, os.SEEK_END) else 0
            self._process = subprocess.Popen(
                (*privileges.prefix, *command.argv),
                env={**command.environment, gate.CLOSED: "1"} if gated else dict(command.environment),
                stdin=subprocess.PIPE if gated else subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=privileges.user,
                group=privileges.group,
                umask=0o077,
                extra_groups=None if privileges.user is None else (),
            )
        self.started = started(self.pid) or "0"
        guard.watch(self.pid, self.started, stop_signal, stop_seconds)
        threading.Thread(target=self._wait, name=f"wait-{self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._exit.done()

    def open_gate(self) -> None:
        """Let a gated process go on."""
        if self._process.stdin:
            self._process.stdin.close()

    async def exited(self) -> int:
        """Wait for its end. Returns the exit code, negative for a signal."""
        return await asyncio.shield(self._exit)

    async def stop(self, hurry: asyncio.Event | None = None) -> int:
        """Ask it to stop, wait, then insist. Leaves nothing of its process group.

        Args:
            hurry: Once set, there is no more waiting.
        """
        if self._frozen:
            self.thaw()
        self._send(signal.SIGCONT)  # whoever froze it: it would not hear the next signal
        self._send(self._stop_signal)
        impatient = asyncio.ensure_future((hurry or asyncio.Event()).wait())
        try:
            await asyncio.wait(
                (self._exit, impatient), timeout=self._stop_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            impatient.cancel()
        return await self.kill()

    async def kill(self) -> int:
        """SIGKILL to the process and all it has started; returns when they are gone: PostgreSQL does not
        start while a process of the one before has its memory."""
        killed: list[psutil.Process] = []
        if self.alive:
            self._send(signal.SIGSTOP)  # it shall start no further one while they are looked for
            killed = self._send_all(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # also what a leader that ended by itself left behind
        code = await self.exited()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DYING_SECONDS):
                while any(map(_lives, killed)):  # noqa: ASYNC110 - nobody tells of a child's children
                    await asyncio.sleep(0.005)
        return code

    def freeze(self) -> None:
        """Stop the process and all it has started in their tracks."""
        self._frozen = True
        self._send_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._frozen = False
        self._send_all(signal.SIGCONT)

    def tail(self) -> list[str]:
        """The last lines it wrote since it was started."""
        with self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]

    def _send(self, number: signal.Signals) -> None:
        # to the leader alone: how its helpers end is its own decision, as long as it lives
        if self.alive:
            self._process.send_signal(number)

    def _send_all(self, number: signal.Signals) -> "list[psutil.Process]":
        """Signal the process and all it has started; those it has started."""
        import psutil  # rarely needed, and not small

        # children may have sessions of their own, as those of PostgreSQL have
        children: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            leader = psutil.Process(self.pid)
            children = leader.children(recursive=True)
            for process in (leader, *children):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
        return children

    def _wait(self) -> None:
        code = self._process.wait()
        self.open_gate()
        self._guard.forget(self.pid)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            self._loop.call_soon_threadsafe(self._ended, code)

    def _ended(self, code: int) -> None:
        if not self._exit.done():
            self._exit.set_result(code)


def _lives(process: "psutil.Process") -> bool:
    import psutil

    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
