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


async def organization_id(perdure: Perdure, named: str | None) -> str:
    """The organization of this name or id; without one the caller's own.

    Raises:
        CommandError: The caller is in none, or in several.
    """
    if named is not None:
        return (await perdure.organizations.get(named)).id
    own = (await perdure.me()).organization_ids
    if len(own) != 1:
        raise CommandError("name the organization with --organization: you are in none, or in several.")
    return own[0]
