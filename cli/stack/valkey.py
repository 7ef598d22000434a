"""Valkey as a part: the live view. It keeps nothing on disk, because nothing in it is needed again."""

from collections.abc import Mapping

from cli.stack.directory import DataDirectory
from cli.stack.part import Command, Part
from cli.stack.ports import LOOPBACK
from cli.stack.probes import answers_redis
from cli.stack.wheels import valkey_server

_PASSWORD_FILE = "valkey.password"


def redis_url(directory: DataDirectory, port: int) -> str:
    """Where Valkey is, password included; it speaks the protocol of Redis."""
    return f"redis://:{directory.secret(_PASSWORD_FILE)}@{LOOPBACK}:{port}/0"


def valkey(directory: DataDirectory, port: int, environment: Mapping[str, str]) -> Part:
    """The Valkey server."""
    password = directory.secret(_PASSWORD_FILE)
    # in a file, since everybody can read a command line
    configuration = directory.write_private(
        "valkey.conf",
        "\n".join(
            (
                f"bind {LOOPBACK}",
                f"port {port}",
                f"requirepass {password}",
                'save ""',
                "appendonly no",
                f'dir "{directory.path}"',
                "maxmemory 128mb",
                # streams expire and are bounded; should memory still run out, readers re-sync from Postgres
                "maxmemory-policy allkeys-lru",
                "loglevel notice",
                "",
            )
        ),
    )
    return Part(
        name="valkey",
        command=Command(argv=(str(valkey_server()), str(configuration)), environment=environment),
        ready=answers_redis(port, password),
    )
