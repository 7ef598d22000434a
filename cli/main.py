"""The `perdure` command.

Only what the command line itself needs is imported here; each command imports its own machinery, so that
`perdure --help` is instant and the launcher stays small.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Durable AI agent chats. Start everything on this machine with: perdure up",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_ELSEWHERE = "DATABASE_URL=postgresql://... REDIS_URL=redis://... TEMPORAL_ADDRESS=host:7233"
_PORT = "Port of {}. Without it: the one of the last run, {}, or a free one."


def _port(option: str, what: str, default: int) -> typer.models.OptionInfo:
    return typer.Option(option, min=0, max=65535, metavar="PORT", help=_PORT.format(what, default))


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


@app.command(
    epilog="Examples:  perdure up  |  perdure up --data-dir ~/chats --port 9000  |  "
    "ANTHROPIC_API_KEY=... perdure up"
)
def up(
    data_dir: DataDirOption = None,
    host: Annotated[str, typer.Option(help="Address the API listens on.")] = "127.0.0.1",
    port: Annotated[int | None, _port("--port", "the API", 8700)] = None,
    ui_port: Annotated[int | None, _port("--ui-port", "Temporal's UI", 8233)] = None,
    temporal_port: Annotated[int | None, _port("--temporal-port", "Temporal", 7233)] = None,
    temporal_http_port: Annotated[
        int | None, _port("--temporal-http-port", "Temporal's HTTP API", 7243)
    ] = None,
    postgres_port: Annotated[int | None, _port("--postgres-port", "PostgreSQL", 5433)] = None,
    valkey_port: Annotated[int | None, _port("--valkey-port", "Valkey", 6380)] = None,
    worker_metrics_port: Annotated[
        int | None, _port("--worker-metrics-port", "the worker's metrics", 8790)
    ] = None,
    demo_model_port: Annotated[int | None, _port("--demo-model-port", "the demo model", 8701)] = None,
) -> None:
    """Start everything on this machine: Temporal with its UI, PostgreSQL, Valkey, worker and API.

    The same directory resumes where it was. Ctrl-C stops all of it. With neither ANTHROPIC_API_KEY nor
    OPENAI_API_KEY in the environment a built-in demo model answers.
    """
    from cli.stack import launcher
    from cli.stack.directory import default_directory
    from cli.stack.options import StackOptions

    ports = {
        "api": port,
        "temporal-ui": ui_port,
        "temporal": temporal_port,
        "temporal-http": temporal_http_port,
        "postgres": postgres_port,
        "valkey": valkey_port,
        "worker-metrics": worker_metrics_port,
        "demo-model": demo_model_port,
    }
    options = StackOptions(
        data_dir=data_dir or default_directory(),
        host=host,
        ports={name: number for name, number in ports.items() if number is not None},
    )
    sys.exit(launcher.up(options))


@app.command(epilog=f"Example:  {_ELSEWHERE} perdure api")
def api() -> None:
    """Run the API alone. Settings come from the environment: PERDURE_API_HOST, PERDURE_API_PORT, ..."""
    from cli import api_process
    from cli.stack import gate

    gate.wait()
    api_process.run()


@app.command(epilog=f"Example:  {_ELSEWHERE} perdure worker")
def worker() -> None:
    """Run a worker alone. Start as many as you like, on as many machines as you like."""
    from cli import worker_process
    from cli.stack import gate

    gate.wait()
    worker_process.run()


@app.command(epilog="Example:  DATABASE_URL=postgresql://user:password@host/perdure perdure migrate")
def migrate() -> None:
    """Bring the database up to date, and make the first user's token where there is no user yet."""
    from cli import migrate_process
    from cli.stack import gate

    gate.wait()
    migrate_process.run()


@app.command("demo-model", epilog="Example:  perdure demo-model --port 8701")
def demo_model(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8701,
) -> None:
    """Serve the built-in demo model, which speaks the Anthropic wire protocol."""
    from activities.providers.demo.server import serve

    serve(host, port)


def main() -> None:
    """Entry point of the `perdure` command."""
    app()


if __name__ == "__main__":
    main()
