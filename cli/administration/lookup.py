"""Finding by name what the API knows by id."""

from cli.errors import CommandError
from perdure.client import Perdure, Provider


async def find_provider(perdure: Perdure, name: str) -> Provider:
    """The provider of this name, or the only one of this type.

    Raises:
        CommandError: There is none, or there are several.
    """
    known = await perdure.providers.list()
    named = [one for one in known if one.name == name] or [one for one in known if one.type == name]
    if len(named) == 1:
        return named[0]
    names = ", ".join(one.name for one in (named or known)) or "none yet"
    raise CommandError(
        f"there are several providers of type {name}: {names}. Name one."
        if named
        else f"there is no provider {name!r}, only: {names}"
    )
