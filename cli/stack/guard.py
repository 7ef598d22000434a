"""The launcher's end of the guardian: tells it which processes exist."""

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

from cli.stack import guardian


class Guard:
    """A running guardian process.

    It inherits the data directory's lock, so that after a crash of the launcher the directory stays
    locked until the last process of the stack has ended.
    """

    def __init__(self, lock_descriptor: int, claims: tuple[int, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(guardian.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(lock_descriptor, *claims),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch(self, pid: int, token: str, stop_signal: int, seconds: float) -> None:
        """Have process group `pid` ended if this process disappears."""
        self._tell(f"+ {pid} {token} {int(stop_signal)} {seconds}\n")

    def forget(self, pid: int) -> None:
        """Process group `pid` is over."""
        self._tell(f"- {pid}\n")

    def close(self) -> None:
        """End the guardian. Whatever was not forgotten is ended with it."""
        with contextlib.suppress(BrokenPipeError):
            self._pipe.close()
        self._process.wait()

    @property
    def _pipe(self) -> IO[bytes]:
        return cast(IO[bytes], self._process.stdin)

    def _tell(self, line: str) -> None:
        # without its guardian the stack still works; only a crash would leave processes behind
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._pipe.write(line.encode())
            self._pipe.flush()
