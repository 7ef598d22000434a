"""Where the server is, and the token it takes."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perdure.client.errors import NoServer

HOW_TO_START = (
    "Start everything on this machine with `perdure up` (or `make up`), or name a server with --url or "
    "PERDURE_URL."
)

RESTART_SECONDS = 20.0
"""A server that is being started again is back within this."""

STRANGER_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server to talk to.

    Attributes:
        url: Its address, without a path.
        token: What it is shown.
        patience_seconds: For how long the very first request is repeated while nobody answers.
    """

    url: str
    token: str = field(repr=False)
    patience_seconds: float = STRANGER_SECONDS


def find_server(
    url: str | None = None,
    token: str | None = None,
    *,
    data_dir: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Server:
    """The server to use: the one named, else `PERDURE_URL`, else the stack that runs on the data directory.

    Args:
        url: From the command line, or a program's own settings.
        token: From there, too.
        data_dir: Of a local stack. Default: `$PERDURE_DATA_DIR`, else `.perdure` here.

    Raises:
        NoServer: None is named and none runs here, or there is no token for it.
    """
    directory = data_dir or Path(environment.get("PERDURE_DATA_DIR") or ".perdure")
    local = _running_at(directory)
    address = url or environment.get("PERDURE_URL") or local
    if address is None:
        raise NoServer(f"no server runs on {directory.absolute()}, and none was named.\n{HOW_TO_START}")
    address = complete(address)
    is_local = address == local
    # the local token is shown to the local stack only
    secret = token or environment.get("PERDURE_TOKEN") or (_token_file(directory) if is_local else None)
    if not secret:
        raise NoServer(
            f"there is no token for {address}. Give it with PERDURE_TOKEN (or --token). "
            "`perdure up` prints the one of its stack, and keeps it in the file `token` of its directory."
        )
    return Server(
        url=address, token=secret, patience_seconds=RESTART_SECONDS if is_local else STRANGER_SECONDS
    )


def complete(address: str) -> str:
    """An address as it is used: with a scheme, without a slash at its end."""
    address = address.rstrip("/")
    return address if "://" in address else f"http://{address}"


def _running_at(directory: Path) -> str | None:
    """The address of the stack that runs on a directory, by the record that it keeps there."""
    try:
        record: dict[str, Any] = json.loads((directory / "stack.json").read_text())
    except (OSError, ValueError):
        return None
    pid = record.get("pid")  # absent when it was stopped
    return record.get("api_url") if isinstance(pid, int) and _alive(pid) else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _token_file(directory: Path) -> str | None:
    try:
        return (directory / "token").read_text().strip()
    except OSError:
        return None
