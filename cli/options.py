"""Options that several commands share, and the server that they name."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, cast

import typer

if TYPE_CHECKING:
    from perdure.client import Server

P = ParamSpec("P")

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
OrganizationOption = Annotated[
    str | None,
    typer.Option("--organization", "-o", metavar="NAME", help="Default: your own, if you have one."),
]


def _find_server(
    url: UrlOption = None, token: TokenOption = None, data_dir: DataDirOption = None
) -> "Server":
    from perdure.client import find_server

    return find_server(url, token, data_dir=data_dir)


def on_a_server(command: "Callable[Concatenate[Server, P], None]") -> Callable[..., None]:
    """A command that is given the server that its user names: it has the options for that behind its own.

    Raises:
        NoServer: The command does: none is named, and none runs here.
    """
    own = inspect.signature(command)
    naming = inspect.signature(_find_server).parameters

    @wraps(command, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def with_server(**given: Any) -> None:
        server = _find_server(**{name: given.pop(name) for name in naming})
        cast(Any, command)(server, **given)

    # what the command line is made from
    parameters = [*list(own.parameters.values())[1:], *naming.values()]
    cast(Any, with_server).__signature__ = own.replace(parameters=parameters)
    return with_server
