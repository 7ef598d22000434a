"""`perdure tokens`: what programs show in place of a password."""

from typing import Annotated

import typer

from cli.options import DataDirOption, JsonOption, TokenOption, UrlOption, server_of

app = typer.Typer(help="List API tokens, create them, revoke them.", no_args_is_help=True)

Whose = Annotated[
    str, typer.Option("--user", "-u", metavar="USER", help="Whose: a username or an id. Default: yours.")
]


@app.command("list", epilog="Examples:  perdure tokens list  |  perdure tokens list --user ada --json")
def list_tokens(
    user: Whose = "me",
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """List tokens that hold, without their secrets."""
    from cli import people

    found = people.asked(
        server_of(url, token, data_dir),
        lambda perdure: perdure.tokens.list(user=user),
    )
    if as_json:
        people.show_json(found)
        return
    people.show(
        found,
        {
            "ID": lambda one: one.id,
            "NAME": lambda one: one.token_name,
            "SCOPES": lambda one: ",".join(one.scopes),
            "EXPIRES": lambda one: people.moment(one.expires_at),
            "LAST USED": lambda one: people.moment(one.last_used),
        },
    )


@app.command(
    epilog="Examples:  perdure tokens create laptop  |  "
    "perdure tokens create reader --scope chat:read --days 30  |  perdure tokens create ci --user bot"
)
def create(
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
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Create a token and print its secret, which is never shown again."""
    from cli import people

    lifetime = None if days is None else days * 86_400
    made = people.asked(
        server_of(url, token, data_dir),
        lambda perdure: perdure.tokens.create(name, user=user, scopes=scope, lifetime_seconds=lifetime),
    )
    if as_json:
        people.show_json(made)
    else:
        print(made.key)


@app.command(epilog="Examples:  perdure tokens revoke ID  |  perdure tokens revoke ID --user ada")
def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="The token, as `perdure tokens list` shows it.")
    ],
    user: Whose = "me",
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Let a token hold no more. Streams that it has opened end within seconds."""
    from cli import people

    people.asked(
        server_of(url, token, data_dir),
        lambda perdure: perdure.tokens.revoke(token_id, user=user),
    )
    print("Revoked.")
