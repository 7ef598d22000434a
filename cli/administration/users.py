"""`perdure users`: who may use this installation."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import JsonOption, OrganizationOption, on_a_server

if TYPE_CHECKING:
    from perdure.client import Member, NewToken, Perdure, Server
    from perdure.client import User as UserInfo

app = typer.Typer(help="List users, add them, suspend them, give them roles.", no_args_is_help=True)

User = Annotated[str, typer.Argument(metavar="USER", help="Username or id; `me` is you.")]


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
@on_a_server
def list_users(
    server: "Server",
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="Part of a username, name or address.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the users of your organizations; owners of the site see all."""
    from cli.terminal import answers

    async def ask(perdure: "Perdure") -> "list[UserInfo]":
        return [user async for user in perdure.users.list(search=search)]

    found = answers.asked(server, ask)
    answers.show_rows(
        found,
        {
            "USERNAME": lambda user: user.username,
            "STATUS": lambda user: user.status,
            "SITE ROLE": lambda user: ", ".join(role.name for role in user.roles),
            "LAST SEEN": lambda user: answers.moment(user.last_seen_at),
            "NAME": lambda user: user.name,
        },
        as_json=as_json,
    )


@app.command(
    epilog="Examples:  perdure users add ada --name 'Ada Lovelace'  |  "
    "perdure users add bot --role auditor --make-token"
)
@on_a_server
def add(
    server: "Server",
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="What to call the user.")],
    name: Annotated[str, typer.Option(help="The full name.")] = "",
    email: Annotated[
        str | None, typer.Option(help="Whoever the OpenID provider knows by it signs in as this user.")
    ] = None,
    organization: OrganizationOption = None,
    role: Annotated[Role, typer.Option(help="In the organization.")] = Role.MEMBER,
    make_token: Annotated[
        bool, typer.Option("--make-token", help="Make a token for the user and print it, once.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add a user to an organization that you manage."""
    from cli.administration.lookup import organization_id
    from cli.terminal import answers

    async def ask(perdure: "Perdure") -> "tuple[UserInfo, NewToken | None]":
        where = await organization_id(perdure, organization)
        made = await perdure.users.create(
            username, name=name, email=email, organization_ids=[where], role=role
        )
        return made, await perdure.tokens.create("first", user=made.id) if make_token else None

    made, first = answers.asked(server, ask)
    told = f"{made.username} is a user now ({made.id})."
    if first is None:
        answers.show_one(made, told, as_json=as_json)
    else:
        whole = made.to_json() | {"token": first.key}
        answers.show_one(whole, f"{told}\nToken, shown only this once: {first.key}", as_json=as_json)


@app.command(epilog="Example:  perdure users suspend ada")
@on_a_server
def suspend(server: "Server", user: User, as_json: JsonOption = False) -> None:
    """Let none of a user's tokens hold until the user is activated again."""
    _change(server, lambda perdure: perdure.users.suspend(user), as_json=as_json)


@app.command(epilog="Example:  perdure users activate ada")
@on_a_server
def activate(server: "Server", user: User, as_json: JsonOption = False) -> None:
    """Let a suspended user in again."""
    _change(server, lambda perdure: perdure.users.activate(user), as_json=as_json)


def _change(server: "Server", change: "Callable[[Perdure], Awaitable[UserInfo]]", *, as_json: bool) -> None:
    from cli.terminal import answers

    changed = answers.asked(server, change)
    answers.show_one(changed, f"{changed.username} is {changed.status}.", as_json=as_json)


@app.command(epilog="Examples:  perdure users role ada admin  |  perdure users role ada auditor -o research")
@on_a_server
def role(
    server: "Server",
    user: User,
    role: Annotated[Role, typer.Argument(help="What the user is to be in the organization.")],
    organization: OrganizationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a member another role in an organization."""
    from cli.administration.lookup import organization_id
    from cli.terminal import answers

    async def ask(perdure: "Perdure") -> "Member":
        where = await organization_id(perdure, organization)
        return await perdure.organizations.set_role(where, user, role)

    member = answers.asked(server, ask)
    answers.show_one(member, f"{member.username} is {member.role} now.", as_json=as_json)


@app.command(
    "site-owner", epilog="Examples:  perdure users site-owner ada  |  perdure users site-owner ada --revoke"
)
@on_a_server
def site_owner(
    server: "Server",
    user: User,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take it away instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a user an owner of the whole site. Only owners of the site may."""
    from cli.terminal import answers

    changed = answers.asked(
        server,
        lambda perdure: perdure.users.make_site_owner(user, owner=not revoke),
    )
    told = f"{changed.username} {'owns the site no more' if revoke else 'owns the site now'}."
    answers.show_one(changed, told, as_json=as_json)
