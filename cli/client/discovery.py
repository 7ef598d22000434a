"""Where the server is, and the token it takes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.client.errors import NoServer
from cli.stack.directory import default_directory, read_record, running

HOW_TO_START = (
    "Start everything on this machine with `perdure up` (or `make up`), or name a server with --url or "
    "PERDURE_URL."
)

RESTART_SECONDS = 20.0
"""A server that is being started again is back within this."""

_STRANGER_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server to talk to.

    Attributes:
        url: Its address, without a path.
        token: What it is shown.
        patience_seconds: For how long the very first request is repeated while nobody answers.
    """

    url: str
    token: str
    patience_seconds: float = _STRANGER_SECONDS


def find_server(
    url: str | None = None,
    token: str | None = None,
    *,
    data_dir: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Server:
    """The server to use: the one named, else `PERDURE_URL`, else the stack that runs on the data directory.

    Args:
        url: From the command line.
        token: From the command line.
        data_dir: Of a local stack. Default: `$PERDURE_DATA_DIR`, else `.perdure` here.

    Raises:
        NoServer: None is named and none runs here, or there is no token for it.
    """
    directory = data_dir or default_directory(environment)
    record = read_record(directory)
    local = record["api_url"] if record and running(record) and "api_url" in record else None
    address = url or environment.get("PERDURE_URL") or local
    if address is None:
        raise NoServer(f"no server runs on {directory.absolute()}, and none was named.\n{HOW_TO_START}")
    address = address.rstrip("/")
    if "://" not in address:
        address = f"http://{address}"
    is_local = address == local
    # the local token is shown to the local stack only
    secret = token or environment.get("PERDURE_TOKEN") or (_token_file(directory) if is_local else None)
    if not secret:
        raise NoServer(
            f"there is no token for {address}. Give it with PERDURE_TOKEN (or --token). "
            "`perdure up` prints the one of its stack, and keeps it in the file `token` of its directory."
        )
    return Server(
        url=address, token=secret, patience_seconds=RESTART_SECONDS if is_local else _STRANGER_SECONDS
    )


def _token_file(directory: Path) -> str | None:
    try:
        return (directory / "token").read_text().strip()
    except OSError:
        return None
