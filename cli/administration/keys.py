"""`perdure keys`: the master keys that seal what is secret in the database."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.errors import CommandError
from cli.options import DataDirOption

if TYPE_CHECKING:
    from runtime.settings import Settings

app = typer.Typer(help="Master keys: make one, seal everything anew.", no_args_is_help=True)


@app.command("new", epilog="Example:  PERDURE_MASTER_KEYS=$(perdure keys new),$PERDURE_MASTER_KEYS")
def new() -> None:
    """Print a new master key. Keep a copy: without it the keys of providers have to be entered anew.

    Put it into PERDURE_MASTER_KEYS of every API and worker process, before the ones that are there,
    separated by a comma.
    """
    from runtime.secrets import new_master_key

    print(new_master_key())


@app.command(
    "rotate",
    epilog="Examples:  perdure keys rotate  |  "
    "DATABASE_URL=postgresql://... PERDURE_MASTER_KEYS=NEW,OLD perdure keys rotate",
)
def rotate(data_dir: DataDirOption = None) -> None:
    """Seal all secrets with the newest master key. Harmless to repeat.

    A local stack gets a new key in its file first; its processes read that by themselves. Elsewhere put the
    new key in front of the old one in PERDURE_MASTER_KEYS of all processes, restart them, run this, and take
    the old key out.
    """
    from cli.administration.rotation import seal_anew
    from cli.environment import read_settings
    from cli.stack.directory import default_directory
    from runtime.secrets import SecretsError, add_master_key

    directory = data_dir or default_directory()
    settings = _local(directory)
    try:
        if settings is None:
            settings = read_settings()
        elif settings.master_key_file is not None and settings.master_keys is None:
            print(f"New master key {add_master_key(settings.master_key_file)} in {settings.master_key_file}")
        count = asyncio.run(seal_anew(settings))
    except SecretsError as error:
        raise CommandError(str(error)) from error
    print(f"Sealed {count} secret{'' if count == 1 else 's'} anew.")


def _local(directory: Path) -> "Settings | None":
    """The settings of the stack that runs on this directory; None if none does."""
    from cli.environment import read_settings
    from cli.stack.addresses import Addresses
    from cli.stack.directory import DataDirectory, read_record
    from cli.stack.guardian import started

    record = read_record(directory)
    if record is None or not record.get("pid") or started(record["pid"]) != record.get("started"):
        return None
    addresses = Addresses(DataDirectory(directory), "127.0.0.1", dict(record["ports"]))
    file = DataDirectory(directory).master_key_file()
    return read_settings(database_url=addresses.database_url, master_key_file=file)
