"""Requests of administrators' commands, and how their answers are printed."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from cli.errors import CommandError
from perdure.client import Server
from perdure.client.connection import Connection

T = TypeVar("T")
Body = dict[str, Any]


def run(server: Server, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do something over a connection to a server."""

    async def connected() -> T:
        connection = Connection(server)
        try:
            return await work(connection)
        finally:
            await connection.http.aclose()

    return asyncio.run(connected())


async def find_provider(connection: Connection, name: str) -> Body:
    """The provider of this name, or the only one of this type.

    Raises:
        CommandError: There is none, or there are several.
    """
    known = cast("list[Body]", await connection.request("GET", "/ai-providers"))
    named = [one for one in known if one["name"] == name] or [one for one in known if one["type"] == name]
    if len(named) == 1:
        return named[0]
    names = ", ".join(one["name"] for one in (named or known)) or "none yet"
    raise CommandError(
        f"there are several providers of type {name}: {names}. Name one."
        if named
        else f"there is no provider {name!r}, only: {names}"
    )


async def organization_of(connection: Connection, wanted: str | None) -> str:
    """Id or name of the organization to work in: the one named, else the caller's first."""
    if wanted is not None:
        return wanted
    mine = (await connection.request("GET", "/users/me"))["organization_ids"]
    if not mine:
        raise CommandError("you are in no organization. Name one with --organization.")
    return cast(str, mine[0])


def print_json(content: object) -> None:
    """For other programs."""
    print(json.dumps(content, ensure_ascii=False, indent=2))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """For people: columns as wide as they need to be."""
    lines = [tuple(headings), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
