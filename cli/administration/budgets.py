"""`perdure budgets`: how much calls of models may cost."""

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CommandError
from cli.options import JsonOption, OrganizationOption, on_a_server

if TYPE_CHECKING:
    from perdure.client import Perdure, Server

app = typer.Typer(help="Limits on what calls of models may cost.", no_args_is_help=True)

_MICROS = 1_000_000
_MOST = 10**15


class Period(StrEnum):
    """How long a budget lasts before it begins anew."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


def dollars(micros: int) -> str:
    """Micros as people read them, to the last one."""
    amount = Decimal(micros) / _MICROS
    return f"${amount:,.2f}" if amount == round(amount, 2) else f"${amount:,.6f}"


def micros_of(amount: str) -> int:
    """Dollars as people write them.

    Raises:
        CommandError: they are none, finer than a micro, or more than there are.
    """
    try:
        micros = Decimal(amount.removeprefix("$").replace(",", "")) * _MICROS
        if 0 <= micros <= _MOST and micros == micros.to_integral_value():
            return int(micros)
    except (InvalidOperation, ValueError, OverflowError):
        pass
    raise CommandError("write the limit in dollars: perdure budgets set 25.00")


@app.command(
    "set",
    epilog="Examples:  perdure budgets set 500 --per month  |  perdure budgets set 20 --per day --user ada  "
    "|  perdure budgets set 5 --chat ID",
)
@on_a_server
def set_budget(
    server: "Server",
    amount: Annotated[str, typer.Argument(metavar="DOLLARS", help="The limit.")],
    period: Annotated[Period | None, typer.Option("--per", help="Default: month; for a chat: total.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="USER", help="For one member: a name or an id.")
    ] = None,
    chat: Annotated[
        str | None, typer.Option("--chat", metavar="ID", help="For one chat and its subagents.")
    ] = None,
    organization: OrganizationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Limit what an organization, a member or a chat may spend. Setting it again changes the limit."""
    from cli.administration.lookup import organization_id
    from cli.terminal import answers

    micros = micros_of(amount)
    default = Period.MONTH if chat is None else Period.TOTAL

    async def ask(perdure: "Perdure") -> Any:
        where = await organization_id(perdure, organization)
        body: dict[str, Any] = {"period": period or default, "limit_micros": micros}
        if user is not None:
            body["user_id"] = (await perdure.users.get(user)).id
        if chat is not None:
            body["chat_id"] = chat
        return await perdure.request("PUT", f"/organizations/{where}/budgets", json=body)

    budget = answers.asked(server, ask)
    told = (
        f"{_whose(budget)}: {dollars(budget['limit_micros'])} per {budget['period']}, "
        f"{dollars(budget['consumed_micros'])} consumed."
    )
    answers.show_one(budget, told, as_json=as_json)


@app.command("list", epilog="Example:  perdure budgets list")
@on_a_server
def list_budgets(
    server: "Server", organization: OrganizationOption = None, as_json: JsonOption = False
) -> None:
    """List the budgets of an organization, and what is left of them."""
    from cli.administration.lookup import organization_id
    from cli.terminal import answers

    async def ask(perdure: "Perdure") -> Any:
        where = await organization_id(perdure, organization)
        return await perdure.request("GET", f"/organizations/{where}/budgets")

    found = answers.asked(server, ask)
    answers.show_rows(
        found,
        {
            "ID": lambda one: one["id"],
            "FOR": _whose,
            "PER": lambda one: one["period"],
            "LIMIT": lambda one: dollars(one["limit_micros"]),
            "CONSUMED": lambda one: dollars(one["consumed_micros"]),
            "RESERVED": lambda one: dollars(one["reserved_micros"]),
        },
        as_json=as_json,
    )


@app.command("remove", epilog="Example:  perdure budgets remove ID")
@on_a_server
def remove(
    server: "Server",
    budget: Annotated[str, typer.Argument(metavar="ID", help="As `perdure budgets list` tells it.")],
    organization: OrganizationOption = None,
) -> None:
    """Remove a limit."""
    from cli.administration.lookup import organization_id
    from cli.terminal import answers
    from perdure.client.reading import path_of

    async def ask(perdure: "Perdure") -> Any:
        where = await organization_id(perdure, organization)
        return await perdure.request("DELETE", path_of("organizations", where, "budgets", budget))

    answers.asked(server, ask)
    print("Removed.")


def _whose(budget: dict[str, Any]) -> str:
    match budget["scope"]:
        case "chat":
            return f"chat {budget['chat_id']}"
        case "user":
            return f"user {budget['username']}"
        case _:
            return "organization"
