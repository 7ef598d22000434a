"""The data directory: one stack's lock, secrets, logs, and the record by which others find it."""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.stack.errors import AlreadyRunning, StackError
from cli.stack.guardian import end, started

DEFAULT_NAME = ".perdure"
_LOG_BYTES = 10 * 1024 * 1024
_CLEANING_UP_SECONDS = 15.0


def default_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """`$PERDURE_DATA_DIR`, else `.perdure` in the current directory."""
    return Path(environment.get("PERDURE_DATA_DIR") or DEFAULT_NAME)


def read_record(directory: Path) -> dict[str, Any] | None:
    """The record of the stack that runs on `directory` or ran there last; None if there was none.

    Keys: `pid` and `started` of the launcher (absent when stopped), `ports`, `api_url`, `docs_url`,
    `temporal_ui_url`, `temporal_address`, `parts` (each with `pid`, `started`).
    """
    try:
        return json.loads((directory / "stack.json").read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None


class DataDirectory:
    """A data directory held by this process."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @property
    def lock_descriptor(self) -> int:
        if self._lock is None:
            raise RuntimeError("the data directory is not locked")
        return self._lock

    async def lock(self) -> None:
        """Create the directory and take it for this process.

        Raises:
            AlreadyRunning: Another live launcher has it.
            StackError: It cannot be created.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.path / "logs").mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StackError(
                f"the data directory {self.path} cannot be used ({error.strerror}). Choose one with "
                "--data-dir."
            ) from error
        try:
            await self._take(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._lock = descriptor
        self._end_leftovers()

    def unlock(self) -> None:
        """Let the directory go."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secret(self, name: str) -> str:
        """The secret `name`, made at first use and kept in a file that only the owner can read."""
        path = self.path / name
        if not path.exists():
            self.write_private(name, secrets.token_urlsafe(24))
        return path.read_text().strip()

    def master_key_file(self) -> Path:
        """The file with the keys that seal what is secret in the database, see `runtime.secrets`. Whoever
        loses it has to enter the keys of all providers anew."""
        path = self.path / "master.key"
        if not path.exists():
            self.write_private(path.name, f"{secrets.token_urlsafe(32)}\n")
        return path

    def write_private(self, name: str, text: str) -> Path:
        """Write a file that only the owner can read, whole or not at all."""
        path, draft = self.path / name, self.path / f"{name}.new"
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        draft.replace(path)
        return path

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Publish where the parts of this stack are."""
        self.write_private("stack.json", json.dumps(record, indent=2) + "\n")

    def log(self, part: str) -> Path:
        """The log file of a part. One that has grown large is put aside as `<part>.log.1`."""
        path = self.path / "logs" / f"{part}.log"
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    async def _take(self, descriptor: int) -> None:
        deadline = time.monotonic() + _CLEANING_UP_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                pid, _, token = os.pread(descriptor, 100, 0).decode().strip().partition(" ")
                holder = int(pid) if pid.isdigit() and started(int(pid)) == token else None
                # a launcher that crashed leaves the lock to its guardian until all its parts have ended
                if holder or time.monotonic() > deadline:
                    raise AlreadyRunning(self.path, holder) from None
            await asyncio.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {started(os.getpid())}\n".encode(), 0)

    def _end_leftovers(self) -> None:
        """End what was left behind when launcher and guardian both were killed."""
        parts = (read_record(self.path) or {}).get("parts", {})
        end({entry["pid"]: (entry["started"], signal.SIGINT, 5.0) for entry in parts.values()})
