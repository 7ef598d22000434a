"""`perdure usage`: what calls of models have used and cost."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.administration.budgets import dollars
from cli.options import JsonOption, OrganizationOption, on_a_server

if TYPE_CHECKING:
    from perdure.client import Perdure, Server


class By(StrEnum):
    """What to add up by."""

    DAY = "day"
    MODEL = "model"
    USER = "user"
    CHAT = "chat"


@on_a_server
def usage(
    server: "Server",
    by: Annotated[By, typer.Option("--by", help="What to add up by; days are those of UTC.")] = By.DAY,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="The first day. Default: 30 days ago."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="The day behind the last. Default: now."),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="USER", help="Of one user: a name, an id, or me.")
    ] = None,
    organization: OrganizationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what was used and what it has cost: yours, and your organization's if you manage it."""
    from cli.administration.lookup import organization_id
    from cli.terminal.answers import asked, show_json, show_rows

    async def ask(perdure: "Perdure") -> Any:
        wanted: dict[str, Any] = {"group_by": by}
        if since is not None:
            wanted["from"] = f"{since:%Y-%m-%d}T00:00:00Z"
        if until is not None:
            wanted["to"] = f"{until:%Y-%m-%d}T00:00:00Z"
        if user is not None:
            wanted["user_id"] = (await perdure.users.get(user)).id
        if organization is not None:
            wanted["organization_id"] = await organization_id(perdure, organization)
        return await perdure.request("GET", "/chats/usage", params=wanted)

    report = asked(server, ask)
    if as_json:
        show_json(report)
        return
    show_rows(
        [*report["rows"], {**report["total"], "is_total": True}],
        {
            by.upper(): lambda row: "total" if row.get("is_total") else _name(row, by),
            "REQUESTS": lambda row: f"{row['requests']:,}",
            "INPUT": lambda row: f"{_input(row):,}",
            "OUTPUT": lambda row: f"{row['output_tokens']:,}",
            "COST": lambda row: dollars(row["cost_micros"]),
            "WITHOUT PRICE": lambda row: f"{row['unpriced_requests']:,}",
        },
    )
    if report["has_more"]:
        print("There are more rows; name fewer days, or a user.")


def _name(row: dict[str, Any], by: By) -> str:
    match by:
        case By.DAY:
            return row["day"][:10]
        case By.MODEL:
            return f"{row['provider']}:{row['model']}"
        case By.USER:
            return row.get("username") or row["user_id"]
        case By.CHAT:
            return row.get("chat_id") or "gateway"


def _input(row: dict[str, Any]) -> int:
    return row["input_tokens"] + row["cache_read_tokens"] + row["cache_creation_tokens"]
