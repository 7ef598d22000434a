"""What `perdure users` and `perdure tokens` ask the API, and how they print it."""

import asyncio
import json
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from cli.errors import CommandError
from perdure.client import Server
from perdure.client.connection import Connection

_PAGE = 200

Ask = Callable[[Connection], Awaitable[Any]]


def asked(server: Server, ask: Ask) -> Any:
    """What the API answers to one or several requests."""

    async def run() -> Any:
        connection = Connection(server)
        try:
            return await ask(connection)
        finally:
            await connection.http.aclose()

    return asyncio.run(run())


async def all_users(connection: Connection, text: str | None) -> list[dict[str, Any]]:
    """All users that the caller may see."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["id"] if found else None
        page = await connection.request(
            "GET", "/users", params={"q": text, "limit": _PAGE, "after_id": after}
        )
        found += page["users"]
        if len(page["users"]) < _PAGE:
            return found


async def organization_id(connection: Connection, named: str | None) -> str:
    """The organization of this name or id; without one the caller's own.

    Raises:
        CommandError: The caller is in none, or in several.
    """
    if named is not None:
        return (await connection.request("GET", f"/organizations/{named}"))["id"]
    own = (await connection.request("GET", "/users/me"))["organization_ids"]
    if len(own) != 1:
        raise CommandError("name the organization with --organization: you are in none, or in several.")
    return own[0]


def show(rows: Sequence[dict[str, Any]], columns: dict[str, Callable[[dict[str, Any]], str]]) -> None:
    """Print rows as a table; lines are cut to the width of a terminal."""
    cells = [list(columns), *([cell(row) for cell in columns.values()] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in cells:
        text = "  ".join(cell.ljust(fill) for cell, fill in zip(line, widths, strict=True)).rstrip()
        print(text if not width or len(text) <= width else f"{text[: width - 1]}…")


def show_json(answer: Any) -> None:
    """Print an answer as JSON."""
    print(json.dumps(answer, ensure_ascii=False))


def moment(stamp: str | None) -> str:
    """A time of the API, in the local time zone, to the minute."""
    if stamp is None:
        return "never"
    return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")
