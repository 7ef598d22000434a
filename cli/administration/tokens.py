"""`perdure tokens`: what programs show in place of a password."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import JsonOption, on_a_server

if TYPE_CHECKING:
    from perdure.client import Server

app = typer.Typer(help="List API tokens, create them, revoke them.", no_args_is_help=True)

Whose = Annotated[
    str, typer.Option("--user", "-u", metavar="USER", help="Whose: a username or an id. Default: yours.")
]


@app.command("list", epilog="Examples:  perdure tokens list  |  perdure tokens list --user ada --json")
@on_a_server
def list_tokens(server: "Server", user: Whose = "me", as_json: JsonOption = False) -> None:
    """List tokens that hold, without their secrets."""
    from cli.terminal import answers

    found = answers.asked(server, lambda perdure: perdure.tokens.list(user=user))
    answers.show_rows(
        found,
        {
            "ID": lambda one: one.id,
            "NAME": lambda one: one.token_name,
            "SCOPES": lambda one: ",".join(one.scopes),
            "EXPIRES": lambda one: answers.moment(one.expires_at),
            "LAST USED": lambda one: answers.moment(one.last_used),
        },
        as_json=as_json,
    )


@app.command(
    epilog="Examples:  perdure tokens create laptop  |  "
    "perdure tokens create reader --scope chat:read --days 30  |  perdure tokens create ci --user bot"
)
@on_a_server
def create(
    server: "Server",
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    user: Whose = "me",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help="all (default), chat:read, chat:write, account:read, account:write, gateway; repeatable.",
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="For how long. Default: until revoked.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a token and print its secret, which is never shown again."""
    from cli.terminal import answers

    lifetime = None if days is None else days * 86_400
    made = answers.asked(
        server,
        lambda perdure: perdure.tokens.create(name, user=user, scopes=scope, lifetime_seconds=lifetime),
    )
    answers.show_one(made, made.key, as_json=as_json)


@app.command(epilog="Examples:  perdure tokens revoke ID  |  perdure tokens revoke ID --user ada")
@on_a_server
def revoke(
    server: "Server",
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="The token, as `perdure tokens list` shows it.")
    ],
    user: Whose = "me",
) -> None:
    """Let a token hold no more. Streams that it has opened end within seconds."""
    from cli.terminal import answers

    answers.asked(server, lambda perdure: perdure.tokens.revoke(token_id, user=user))
    print("Revoked.")
