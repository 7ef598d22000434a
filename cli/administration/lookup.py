"""Finding by name what the API knows by id."""

from typing import Any, cast

from cli.errors import CommandError
from perdure.client.connection import Connection


async def find_provider(connection: Connection, name: str) -> dict[str, Any]:
    """The provider of this name, or the only one of this type.

    Raises:
        CommandError: There is none, or there are several.
    """
    known = cast("list[dict[str, Any]]", await connection.request("GET", "/ai-providers"))
    named = [one for one in known if one["name"] == name] or [one for one in known if one["type"] == name]
    if len(named) == 1:
        return named[0]
    names = ", ".join(one["name"] for one in (named or known)) or "none yet"
    raise CommandError(
        f"there are several providers of type {name}: {names}. Name one."
        if named
        else f"there is no provider {name!r}, only: {names}"
    )
