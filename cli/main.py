"""The `perdure` command.

Only what the command line itself needs is imported here; each command imports its own machinery, so that
`perdure --help` is instant and the launcher stays small.
"""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.administration import budgets, keys, models, providers, tokens, usage, users
from cli.options import DataDirOption, JsonOption, on_a_server

if TYPE_CHECKING:
    from perdure.client import Server

app = typer.Typer(
    help="Durable AI agent chats. Start everything on this machine with: perdure up",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(users.app, name="users")
app.add_typer(tokens.app, name="tokens")
app.add_typer(providers.app, name="providers")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(budgets.app, name="budgets")
app.command(
    "usage",
    epilog="Examples:  perdure usage  |  perdure usage --by model --from 2026-11-01  |  "
    "perdure usage --by user --json",
)(usage.usage)

_ELSEWHERE = "DATABASE_URL=postgresql://... REDIS_URL=redis://... TEMPORAL_ADDRESS=host:7233"
_PORT = "Port of {}. Without it: the one of the last run, {}, or a free one."


def _port(option: str, what: str, default: int) -> typer.models.OptionInfo:
    return typer.Option(option, min=0, max=65535, metavar="PORT", help=_PORT.format(what, default))


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

    The same directory resumes where it was. Ctrl-C stops all of it. Without
    ANTHROPIC_API_KEY or OPENAI_API_KEY in the environment a built-in demo model answers.
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


@app.command(
    epilog='Examples:  perdure chat "What time is it?"  |  perdure chat --resume ID "And in Tokyo?"  |  '
    "git diff | perdure chat -  |  perdure chat --json Hello"
)
@on_a_server
def chat(
    server: "Server",
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="What to say; - reads it from standard input.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", "-r", metavar="ID", help="Go on with this chat.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write each event of the stream as a line of JSON.")
    ] = False,
) -> None:
    """Say something, and follow the answer. With --resume, /compact, /clear and /queue do as they say.

    Ctrl-C stops the turn and keeps what was said; a second Ctrl-C leaves while the turn goes on.
    Exit code: 0 answered, 1 error or no server, 130 interrupted.
    """
    from cli.terminal import conversation

    words = sys.stdin.read() if text == "-" or (text is None and not sys.stdin.isatty()) else text
    if not words or not words.strip():
        raise typer.BadParameter('say something: perdure chat "Hello"', param_hint="TEXT")
    sys.exit(conversation.run(server, words, resume, as_json=as_json))


@app.command(epilog="Examples:  perdure chats  |  perdure chats --archived  |  perdure chats --json")
@on_a_server
def chats(
    server: "Server",
    archived: Annotated[bool, typer.Option("--archived", help="The archived ones instead.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List your chats, last changed first."""
    from cli.terminal import listing

    listing.run_chats(server, archived=archived, limit=limit, as_json=as_json)


@app.command(epilog="Examples:  perdure show ID  |  perdure show ID --json")
@on_a_server
def show(
    server: "Server",
    chat_id: Annotated[str, typer.Argument(metavar="ID", help="The chat.")],
    as_json: JsonOption = False,
) -> None:
    """Print a chat: its messages, tool calls and results."""
    from cli.terminal import listing

    listing.run_show(server, chat_id, as_json=as_json)


@app.command(epilog="Example:  perdure demo")
def demo() -> None:
    """Show a chat survive the death of its worker, on a stack of its own, and check every claim.

    Starts everything in a temporary directory, with the built-in demo model, and leaves nothing behind.
    """
    from cli.demo import run

    sys.exit(run())


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


def _client_errors() -> type[Exception]:
    """Looked up when something has gone wrong only: a client takes longer to import than help to print."""
    from perdure.client import PerdureError

    return PerdureError


def main() -> None:
    """Entry point of the `perdure` command."""
    from cli.errors import CommandError

    try:
        app()
    except SystemExit:
        raise
    except _client_errors() as error:
        sys.exit(f"perdure: {error}")
    except CommandError as error:
        sys.exit(f"perdure: {error}")
    except BrokenPipeError:
        # whoever read our output has gone; nothing may be flushed there any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
