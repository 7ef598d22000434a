"""`perdure users`: who may use this installation."""

import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DataDirOption, JsonOption, TokenOption, UrlOption, server_of

if TYPE_CHECKING:
    from perdure.client import Member, NewToken, Perdure
    from perdure.client import User as UserInfo

app = typer.Typer(help="List users, add them, suspend them, give them roles.", no_args_is_help=True)

User = Annotated[str, typer.Argument(metavar="USER", help="Username or id; `me` is you.")]
Organization = Annotated[
    str | None,
    typer.Option("--organization", "-o", metavar="NAME", help="Default: your own, if you have one."),
]


class Role(StrEnum):
    """What a member is in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    AUDITOR = "auditor"


@app.command(
    "list",
    epilog="Examples:  perdure users list  |  perdure users list --search ada  |  perdure users list --json",
)
def list_users(
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="Part of a username, name or address.")
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """List the users of your organizations; owners of the site see all."""
    from cli import people

    async def ask(perdure: "Perdure") -> "list[UserInfo]":
        return [user async for user in perdure.users.list(search=search)]

    found = people.asked(server_of(url, token, data_dir), ask)
    if as_json:
        people.show_json(found)
        return
    people.show(
        found,
        {
            "USERNAME": lambda user: user.username,
            "STATUS": lambda user: user.status,
            "SITE ROLE": lambda user: ", ".join(role.name for role in user.roles),
            "LAST SEEN": lambda user: people.moment(user.last_seen_at),
            "NAME": lambda user: user.name,
        },
    )


@app.command(
    epilog="Examples:  perdure users add ada --name 'Ada Lovelace'  |  "
    "perdure users add bot --role auditor --make-token"
)
def add(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="What to call the user.")],
    name: Annotated[str, typer.Option(help="The full name.")] = "",
    email: Annotated[
        str | None, typer.Option(help="Whoever the OpenID provider knows by it signs in as this user.")
    ] = None,
    organization: Organization = None,
    role: Annotated[Role, typer.Option(help="In the organization.")] = Role.MEMBER,
    make_token: Annotated[
        bool, typer.Option("--make-token", help="Make a token for the user and print it, once.")
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Add a user to an organization that you manage."""
    from cli import people

    async def ask(perdure: "Perdure") -> "tuple[UserInfo, NewToken | None]":
        where = await people.organization_id(perdure, organization)
        made = await perdure.users.create(
            username, name=name, email=email, organization_ids=[where], role=role
        )
        return made, await perdure.tokens.create("first", user=made.id) if make_token else None

    made, first = people.asked(server_of(url, token, data_dir), ask)
    if as_json:
        print(json.dumps(made.to_json() | ({} if first is None else {"token": first.key})))
        return
    print(f"{made.username} is a user now ({made.id}).")
    if first is not None:
        print(f"Token, shown only this once: {first.key}")


@app.command(epilog="Example:  perdure users suspend ada")
def suspend(
    user: User,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Let none of a user's tokens hold until the user is activated again."""
    _changed(lambda perdure: perdure.users.suspend(user), as_json, url, token, data_dir)


@app.command(epilog="Example:  perdure users activate ada")
def activate(
    user: User,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Let a suspended user in again."""
    _changed(lambda perdure: perdure.users.activate(user), as_json, url, token, data_dir)


def _changed(
    change: "Callable[[Perdure], Awaitable[UserInfo]]",
    as_json: bool,
    url: UrlOption,
    token: TokenOption,
    data_dir: DataDirOption,
) -> None:
    from cli import people

    changed = people.asked(server_of(url, token, data_dir), change)
    if as_json:
        people.show_json(changed)
    else:
        print(f"{changed.username} is {changed.status}.")


@app.command(epilog="Examples:  perdure users role ada admin  |  perdure users role ada auditor -o research")
def role(
    user: User,
    role: Annotated[Role, typer.Argument(help="What the user is to be in the organization.")],
    organization: Organization = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Give a member another role in an organization."""
    from cli import people

    async def ask(perdure: "Perdure") -> "Member":
        where = await people.organization_id(perdure, organization)
        return await perdure.organizations.set_role(where, user, role)

    member = people.asked(server_of(url, token, data_dir), ask)
    if as_json:
        people.show_json(member)
    else:
        print(f"{member.username} is {member.role} now.")


@app.command(
    "site-owner", epilog="Examples:  perdure users site-owner ada  |  perdure users site-owner ada --revoke"
)
def site_owner(
    user: User,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take it away instead.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a user an owner of the whole site. Only owners of the site may."""
    from cli import people

    changed = people.asked(
        server_of(url, token, data_dir),
        lambda perdure: perdure.users.make_site_owner(user, owner=not revoke),
    )
    if as_json:
        people.show_json(changed)
    else:
        print(f"{changed.username} {'owns the site no more' if revoke else 'owns the site now'}.")
