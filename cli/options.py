"""Options that several commands share, and the server that they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from perdure.client import Server

DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        envvar="PERDURE_DATA_DIR",
        help="Where everything is kept: database, Temporal's file, logs, token. Default: .perdure here.",
        file_okay=False,
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        envvar="PERDURE_URL",
        help="The server. Default: the stack that `perdure up` runs on the data directory.",
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token", metavar="TOKEN", envvar="PERDURE_TOKEN", help="Default: the token of the local stack."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for other programs to read.")]


def server_of(url: str | None, token: str | None, data_dir: Path | None) -> "Server":
    """The server that these options name.

    Raises:
        NoServer: None is named, and none runs here.
    """
    from perdure.client import find_server

    return find_server(url, token, data_dir=data_dir)
