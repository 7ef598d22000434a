"""PostgreSQL as a part: a cluster of its own in the data directory."""

import os
import shutil
import signal
from collections.abc import Mapping

from cli.stack.directory import DataDirectory
from cli.stack.part import Command, Part, RunCommand
from cli.stack.ports import LOOPBACK
from cli.stack.privileges import Privileges, unprivileged
from cli.stack.probes import answers_postgres
from cli.stack.wheels import postgres_programs

USER = "perdure"
DATABASE = "postgres"
_PASSWORD_FILE = "postgres.password"

# Small, because an idle stack should be: a fifth of the memory of the defaults. Durability is untouched:
# fsync and synchronous_commit stay on.
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a path there is limited to 107 bytes, and data directories are not
    "shared_buffers": "16MB",
    "max_connections": "60",
    "jit": "off",
    "io_method": "sync",  # no I/O worker processes
    "max_logical_replication_workers": "0",
    "max_parallel_workers": "0",
    "autovacuum_worker_slots": "2",
    "autovacuum_max_workers": "2",
    "max_wal_size": "256MB",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def database_url(directory: DataDirectory, port: int) -> str:
    """Where the database is, password included."""
    return f"postgresql://{USER}:{directory.secret(_PASSWORD_FILE)}@{LOOPBACK}:{port}/{DATABASE}"


def postgres(
    directory: DataDirectory, port: int, environment: Mapping[str, str], privileges: Privileges | None = None
) -> Part:
    """The PostgreSQL server, initialized at its first start.

    Args:
        directory: Where its cluster, password and log are.
        port: On loopback.
        environment: Its whole environment.
        privileges: Under which account it runs; the best way on this machine if not given.
    """
    programs = postgres_programs()
    cluster = directory.path / "postgres"
    privileges = privileges or unprivileged()

    def command(program: str, *arguments: str) -> Command:
        argv = (str(programs / program), *arguments)
        return Command(argv=argv, environment=environment, privileges=privileges)

    async def prepare(run: RunCommand) -> None:
        if privileges.user is not None:
            directory.path.chmod(0o711)  # its account must pass through; what else is here stays private
        # made beside its place and moved there when whole: a first start may be interrupted anywhere
        draft = directory.path / "postgres.new"
        password = directory.path / f"{_PASSWORD_FILE}.initdb"
        if not cluster.exists():
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
            directory.write_private(password.name, directory.secret(_PASSWORD_FILE))
            privileges.hand_over(draft, password, reach=(programs / "postgres",))
            await run(
                command(
                    *("initdb", "--pgdata", str(draft), "--username", USER, "--pwfile", str(password)),
                    *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"),
                    *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                )
            )
            password.unlink()
            os.rename(draft, cluster)
        privileges.hand_over(cluster, reach=(programs / "postgres",))

    settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    return Part(
        name="postgres",
        command=command("postgres", "-D", str(cluster), "-p", str(port), *settings),
        prepare=prepare,
        ready=answers_postgres(port, USER, DATABASE),
        ready_seconds=60.0,  # recovery after a crash replays its log first
        stop_signal=signal.SIGINT,  # "fast": ends sessions, does not wait for them
    )
