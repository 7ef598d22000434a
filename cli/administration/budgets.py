"""`perdure budgets`: how much calls of models may cost."""

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CommandError
from cli.options import DataDirOption, JsonOption, TokenOption, UrlOption, server_of
from cli.users_command import Organization

if TYPE_CHECKING:
    from perdure.client import Perdure

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
def set_budget(
    amount: Annotated[str, typer.Argument(metavar="DOLLARS", help="The limit.")],
    period: Annotated[Period | None, typer.Option("--per", help="Default: month; for a chat: total.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="USER", help="For one member: a name or an id.")
    ] = None,
    chat: Annotated[
        str | None, typer.Option("--chat", metavar="ID", help="For one chat and its subagents.")
    ] = None,
    organization: Organization = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Limit what an organization, a member or a chat may spend. Setting it again changes the limit."""
    from cli import people

    micros = micros_of(amount)
    default = Period.MONTH if chat is None else Period.TOTAL

    async def ask(perdure: "Perdure") -> Any:
        where = await people.organization_id(perdure, organization)
        body: dict[str, Any] = {"period": period or default, "limit_micros": micros}
        if user is not None:
            body["user_id"] = (await perdure.request("GET", f"/users/{user}"))["id"]
        if chat is not None:
            body["chat_id"] = chat
        return await perdure.request("PUT", f"/organizations/{where}/budgets", json=body)

    budget = people.asked(server_of(url, token, data_dir), ask)
    if as_json:
        people.show_json(budget)
    else:
        print(
            f"{_whose(budget)}: {dollars(budget['limit_micros'])} per {budget['period']}, "
            f"{dollars(budget['consumed_micros'])} consumed."
        )


@app.command("list", epilog="Example:  perdure budgets list")
def list_budgets(
    organization: Organization = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """List the budgets of an organization, and what is left of them."""
    from cli import people

    async def ask(perdure: "Perdure") -> Any:
        where = await people.organization_id(perdure, organization)
        return await perdure.request("GET", f"/organizations/{where}/budgets")

    found = people.asked(server_of(url, token, data_dir), ask)
    if as_json:
        people.show_json(found)
        return
    people.show(
        found,
        {
            "ID": lambda one: one["id"],
            "FOR": _whose,
            "PER": lambda one: one["period"],
            "LIMIT": lambda one: dollars(one["limit_micros"]),
            "CONSUMED": lambda one: dollars(one["consumed_micros"]),
            "RESERVED": lambda one: dollars(one["reserved_micros"]),
        },
    )


@app.command("remove", epilog="Example:  perdure budgets remove ID")
def remove(
    budget: Annotated[str, typer.Argument(metavar="ID", help="As `perdure budgets list` tells it.")],
    organization: Organization = None,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Remove a limit."""
    from cli import people

    async def ask(perdure: "Perdure") -> Any:
        where = await people.organization_id(perdure, organization)
        return await perdure.request("DELETE", f"/organizations/{where}/budgets/{budget}")

    people.asked(server_of(url, token, data_dir), ask)
    print("Removed.")


def _whose(budget: dict[str, Any]) -> str:
    match budget["scope"]:
        case "chat":
            return f"chat {budget['chat_id']}"
        case "user":
            return f"user {budget['username']}"
        case _:
            return "organization"
