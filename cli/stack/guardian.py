"""Ends the parts of a stack when its launcher is gone.

The launcher starts this file as a process of its own, in a session of its own, and tells it over
stdin which processes exist. However the launcher ends, SIGKILL included, the kernel closes that
pipe, and what is still listed then is ended here. It is run as `python -I -S guardian.py`, so that it
costs a few megabytes only: the standard library, and as little of it as possible.

Each line is `+ PID STARTED SIGNAL SECONDS` (a process group now exists; how to ask its leader to stop,
and how long to wait) or `- PID` (it is over). STARTED tells a process from a later one with its number.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable

_GRACE_AFTER_A_CRASH_SECONDS = 5.0  # nobody is left to wait for a slow goodbye
_POLL_SECONDS = 0.02


def started(pid: int) -> str | None:
    """When process `pid` started, as an opaque token without spaces; None if it is dead or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # the second field, the name in brackets, may itself hold spaces and brackets
            fields = file.read().rpartition(b")")[2].split()
        return None if fields[0] in b"ZX" else fields[19].decode()
    except (FileNotFoundError, ProcessLookupError):
        if os.path.isdir("/proc/self"):
            return None
    import subprocess  # no /proc: macOS, BSD

    ps = subprocess.run(("ps", "-o", "state=,lstart=", "-p", str(pid)), capture_output=True, text=True)
    answer = ps.stdout.split()
    return None if not answer or answer[0].startswith("Z") else "_".join(answer[1:])


def end(processes: dict[int, tuple[str, int, float]]) -> None:
    """End every process group whose leader is still the one that was listed.

    Args:
        processes: For each pid: its start token, the signal that asks it to stop, seconds of grace.
    """
    ours = {pid: entry for pid, entry in processes.items() if started(pid) in (entry[0], None)}
    begun = time.monotonic()
    for pid, (_, stop_signal, _) in reversed(ours.items()):
        if started(pid) is not None:
            _signal(os.kill, pid, signal.SIGCONT)
            _signal(os.kill, pid, stop_signal)
    for pid, (token, _, seconds) in reversed(ours.items()):
        deadline = begun + min(seconds, _GRACE_AFTER_A_CRASH_SECONDS)
        while started(pid) == token and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        _signal(os.killpg, pid, signal.SIGKILL)


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        send(pid, number)


def _watch() -> None:
    # a Ctrl-C, a closed terminal or a polite request to end is the launcher's business
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    processes: dict[int, tuple[str, int, float]] = {}
    for line in sys.stdin:
        sign, pid, *rest = line.split()
        if sign == "+":
            processes[int(pid)] = (rest[0], int(rest[1]), float(rest[2]))
        else:
            processes.pop(int(pid), None)
    end(processes)


if __name__ == "__main__":
    _watch()
