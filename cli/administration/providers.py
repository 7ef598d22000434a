"""`perdure providers`: endpoints that offer models."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CommandError
from cli.options import JsonOption, on_a_server

if TYPE_CHECKING:
    from perdure.client import CheckReport, Perdure, Provider, Server

app = typer.Typer(help="Providers of models: add, check, switch off and on, remove.", no_args_is_help=True)

_Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The provider's name, or its type if that is clear.")
]
_KeyEnv = Annotated[
    str | None, typer.Option(metavar="VARIABLE", help="Take the key from this environment variable.")
]


@app.command(
    "add",
    epilog="Examples:  perdure providers add anthropic  |  "
    "perdure providers add openai-compat --name local --base-url http://127.0.0.1:11434/v1 --no-key  |  "
    "perdure providers add bedrock --region eu-central-1 --no-key",
)
@on_a_server
def add(
    server: "Server",
    kind: Annotated[
        str,
        typer.Argument(
            metavar="TYPE",
            help="anthropic, azure, bedrock, google, openai, openai-compat, openrouter, vercel or vertex.",
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Default: the type.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Where it is. Default: the vendor's own.")] = None,
    key_env: _KeyEnv = None,
    no_key: Annotated[bool, typer.Option("--no-key", help="It needs none, or finds it by itself.")] = False,
    region: Annotated[str | None, typer.Option(help="Of bedrock and vertex.")] = None,
    project: Annotated[str | None, typer.Option(help="Of vertex.")] = None,
    api_version: Annotated[str | None, typer.Option(help="Of azure.")] = None,
    profile: Annotated[str | None, typer.Option(help="Of bedrock: the machine's own credentials.")] = None,
    user_keys: Annotated[bool, typer.Option("--user-keys", help="Users may bring their own keys.")] = False,
    own: Annotated[
        str | None,
        typer.Option("--organization", metavar="ID", help="Of this organization only. Default: everybody's."),
    ] = None,
) -> None:
    """Add a provider. The key is asked for, or read from standard input, and never shown again."""
    from cli.terminal.answers import asked

    settings = {"region": region, "project": project, "api_version": api_version, "profile": profile}
    more: dict[str, Any] = {
        "base_url": base_url,
        "organization_id": own,
        "settings": {setting: value for setting, value in settings.items() if value is not None},
        "allow_user_api_key": user_keys,
        # who may bring a key need not: the deployment's own still serves the others
        "allow_central_api_key_fallback": user_keys,
    }
    key = None if no_key else _read_key(key_env)
    made = asked(server, lambda perdure: perdure.providers.create(kind, name or kind, api_key=key, **more))
    print(f"Added {made.name}. Offer a model of it:  perdure models add {made.name}:MODEL")


@app.command("list", epilog="Example:  perdure providers list")
@on_a_server
def list_all(server: "Server", as_json: JsonOption = False) -> None:
    """List the providers, with what they lack."""
    from cli.terminal.answers import asked, show_rows

    found = asked(server, lambda perdure: perdure.providers.list())
    show_rows(
        found,
        {
            "NAME": lambda one: one.name,
            "TYPE": lambda one: one.type,
            "STATE": lambda one: "on" if one.enabled else "off",
            "KEY": lambda one: one.api_key_source or "no key",
            "ADDRESS": lambda one: one.base_url or "",
        },
        as_json=as_json,
    )


@app.command("check", epilog="Example:  perdure providers check anthropic --model claude-sonnet-4-5")
@on_a_server
def check(
    server: "Server",
    name: _Name,
    model: Annotated[str | None, typer.Option(help="Default: the first model of it on offer.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a small call to a provider, on a worker, and tell what it taught. It costs a few tokens."""
    from cli.administration.lookup import find_provider
    from cli.terminal.answers import asked, show_json

    async def ask(perdure: "Perdure") -> "CheckReport":
        provider = await find_provider(perdure, name)
        return await perdure.providers.check(provider.id, model=model)

    report = asked(server, ask)
    if as_json:
        show_json(report)
    else:
        print("\n".join(_told(name, report)))
    sys.exit(0 if report.ok else 1)


@app.command("enable", epilog="Example:  perdure providers enable anthropic")
@on_a_server
def enable(server: "Server", name: _Name) -> None:
    """Let models of a provider be called again."""
    _change(server, name, {"enabled": True}, "can be used")


@app.command("disable", epilog="Example:  perdure providers disable anthropic")
@on_a_server
def disable(server: "Server", name: _Name) -> None:
    """Let nothing of a provider be called. Calls in flight end as they began."""
    _change(server, name, {"enabled": False}, "is switched off")


@app.command("set-key", epilog="Example:  perdure providers set-key anthropic --key-env NEW_KEY")
@on_a_server
def set_key(server: "Server", name: _Name, key_env: _KeyEnv = None) -> None:
    """Replace the key of a provider."""
    _change(server, name, {"api_key": _read_key(key_env)}, "has its new key")


@app.command("remove", epilog="Example:  perdure providers remove local")
@on_a_server
def remove(server: "Server", name: _Name) -> None:
    """Remove a provider, its keys and its models. Chats on them go on with the default model."""
    from cli.administration.lookup import find_provider
    from cli.terminal.answers import asked

    async def delete(perdure: "Perdure") -> None:
        await perdure.providers.delete((await find_provider(perdure, name)).id)

    asked(server, delete)
    print(f"Removed {name}.")


def _change(server: "Server", name: str, changes: dict[str, Any], done: str) -> None:
    from cli.administration.lookup import find_provider
    from cli.terminal.answers import asked

    async def patch(perdure: "Perdure") -> "Provider":
        provider = await find_provider(perdure, name)
        return await perdure.providers.edit(provider.id, **changes)

    changed = asked(server, patch)
    print(f"{changed.name} {done}.")


def _read_key(variable: str | None) -> str:
    """A key, by a way that leaves no trace in the shell's history or the list of processes."""
    if variable is not None:
        key = os.environ.get(variable, "")
    elif sys.stdin.isatty():
        key = typer.prompt("Key", hide_input=True)
    else:
        key = sys.stdin.readline()
    if not key.strip():
        raise CommandError(f"there is no key in {variable}" if variable else "there was no key to read")
    return key.strip()


def _told(name: str, report: "CheckReport") -> list[str]:
    error = report.error
    if error is not None:
        lines = [f"{name} does not work: {error.message} ({error.kind})"]
        return lines + ([f"It says: {error.detail}"] if error.detail else [])
    usage = report.usage
    first = report.first_part_seconds
    return [
        f"{name} works: {report.answered_by or report.model} answered",
        f"  seconds   {report.seconds:.2f}" + (f", first part after {first:.2f}" if first else ""),
        f"  tokens    {usage.get('input_tokens', 0)} in, {usage.get('output_tokens', 0)} out",
        f"  tools     {'accepted' if report.accepts_tools else 'refused: chats on it have no tools'}",
        f"  key       {report.key}",
    ]
