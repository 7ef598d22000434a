"""`perdure usage`: what calls of models have used and cost."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.budgets_command import dollars
from cli.options import DataDirOption, JsonOption, TokenOption, UrlOption, server_of
from cli.users_command import Organization

if TYPE_CHECKING:
    from perdure.client import Perdure


class By(StrEnum):
    """What to add up by."""

    DAY = "day"
    MODEL = "model"
    USER = "user"
    CHAT = "chat"


def usage(
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
    organization: Organization = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Tell what was used and what it has cost: yours, and your organization's if you manage it."""
    from cli import people

    async def ask(perdure: "Perdure") -> Any:
        asked: dict[str, Any] = {"group_by": by}
        if since is not None:
            asked["from"] = f"{since:%Y-%m-%d}T00:00:00Z"
        if until is not None:
            asked["to"] = f"{until:%Y-%m-%d}T00:00:00Z"
        if user is not None:
            asked["user_id"] = (await perdure.request("GET", f"/users/{user}"))["id"]
        if organization is not None:
            asked["organization_id"] = await people.organization_id(perdure, organization)
        return await perdure.request("GET", "/chats/usage", params=asked)

    report = people.asked(server_of(url, token, data_dir), ask)
    if as_json:
        people.show_json(report)
        return
    people.show(
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
