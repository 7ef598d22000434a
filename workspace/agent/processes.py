"""The processes of a workspace."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from workspace.agent.capture import HeadTail
from workspace.agent.records import Records
from workspace.protocol import Done, Output, Process, Processes, Refused, SendSignal, Signal, Start

_LAST_WORDS_SECONDS = 0.25
"""A child left behind may hold the output open; what its parent wrote has arrived by then."""

_REMEMBERED = 200
_SIGNALS: dict[Signal, signal.Signals] = {"terminate": signal.SIGTERM, "kill": signal.SIGKILL}


class ProcessTable:
    """Starts processes, keeps their output, and remembers them after their end.

    Args:
        home: where commands start.
        records: where ended ones are kept.
        changed: called whenever one has ended.
    """

    def __init__(self, home: Path, records: Records, changed: Callable[[], None]) -> None:
        self._home = home
        self._records = records
        self._changed = changed
        self._running: dict[str, _Running] = {}
        self._by_pid: dict[int, _Running] = {}
        self._ended: dict[str, Output] = {}
        for output in sorted(records.processes(), key=lambda each: each.process.started_at):
            process = output.process
            if process.state == "running":  # its agent died, and with it the sandbox
                output = replace(output, process=replace(process, state="lost"))
            self._ended[process.id] = output

    @property
    def any_running(self) -> bool:
        return bool(self._running)

    def start(self, request: Start) -> Process | Refused:
        """Start a process."""
        workdir = self._home / os.path.expanduser(request.workdir or ".")
        process = Process(
            id="p" + sha256(request.key.id.encode()).hexdigest()[:12],
            command=request.command,
            workdir=str(workdir),
            background=request.background,
            state="running",
            started_at=_now(),
        )
        try:
            running = _Running(process, request.environment, self._over)
        except ValueError as error:  # a NUL in the command
            return Refused(f"The command cannot be run: {error}.", "invalid")
        except BlockingIOError:
            return Refused("The sandbox has as many processes as it may have. End some of them.", "failed")
        except OSError as error:
            named = f" {error.filename}" if error.filename else ""
            return Refused(f"The command could not be started:{named} {error.strerror}.", "failed")
        self._running[process.id] = running
        self._by_pid[running.pid] = running
        self._records.save_process(running.output())
        return process

    async def read(self, process_id: str, wait_seconds: float) -> Output | Refused:
        """The output of a process when it has ended, or when the time is over."""
        if running := self._running.get(process_id):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(running.ended.wait(), max(0.0, wait_seconds))
            return running.output()
        return self._ended.get(process_id) or _no_process(process_id)

    def list(self) -> Processes:
        """All that are remembered, oldest first."""
        known = [output.process for output in self._ended.values()]
        known += [running.process for running in self._running.values()]
        return Processes(sorted(known, key=lambda process: process.started_at))

    def signal(self, request: SendSignal) -> Done | Refused:
        """Signal a process."""
        if running := self._running.get(request.process_id):
            running.signal(_SIGNALS[request.signal])
            return Done(f"Sent {_SIGNALS[request.signal].name} to process {request.process_id}.")
        if request.process_id in self._ended:
            return Refused(f"Process {request.process_id} is not running any more.", "failed")
        return _no_process(request.process_id)

    def kill(self, process_id: str) -> None:
        """Kill a process if it runs."""
        if running := self._running.get(process_id):
            running.signal(signal.SIGKILL)

    def reap(self) -> None:
        """Take note of all that have ended. As first process of the sandbox we inherit orphans, too."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if running := self._by_pid.pop(pid, None):
                    running.exited(os.waitstatus_to_exitcode(status))

    def _over(self, running: "_Running") -> None:
        output = running.output()
        self._ended[running.process.id] = output
        del self._running[running.process.id]
        self._records.save_process(output)
        while len(self._ended) > _REMEMBERED:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            self._records.forget_process(oldest)
        self._changed()


class _Running:
    """A process, from its start until it is over."""

    def __init__(
        self, process: Process, environment: dict[str, str], over: "Callable[[_Running], None]"
    ) -> None:
        self.process = process
        self.ended = asyncio.Event()
        self._over = over
        self._capture = HeadTail()
        self._loop = asyncio.get_running_loop()
        self._pipe, theirs = os.pipe()
        try:
            self._popen = subprocess.Popen(
                ["/bin/sh", "-c", process.command],
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                cwd=process.workdir,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(theirs)
        self._open = True
        os.set_blocking(self._pipe, False)
        self._loop.add_reader(self._pipe, self._readable)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def output(self) -> Output:
        head, tail = self._capture.text()
        return Output(self.process, head, tail, self._capture.original_bytes, self._capture.retained_bytes)

    def signal(self, number: signal.Signals) -> None:
        """To it and all it started, except what left its group."""
        if self._popen.returncode is None:  # until then its number is its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, number)

    def _readable(self) -> None:
        try:
            data = os.read(self._pipe, 65536)
        except BlockingIOError:
            return
        if data:
            self._capture.write(data)
        else:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._open = False
            self._settle()

    def exited(self, code: int) -> None:
        """Its end was noticed."""
        self._popen.returncode = code
        self.process = replace(self.process, state="exited", exit_code=code, exited_at=_now())
        if self._open:
            self._loop.call_later(_LAST_WORDS_SECONDS, self._end)
        self._settle()

    def _settle(self) -> None:
        if not self._open and self.process.state == "exited":
            self._end()

    def _end(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            self._over(self)


def _no_process(process_id: str) -> Refused:
    return Refused(
        f"There is no process {process_id}. The tool process_list shows those that there are.", "not_found"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
