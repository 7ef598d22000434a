"""Settings from the environment, or a sentence that says which of them cannot be used."""

from typing import Any

from pydantic import ValidationError

from cli.errors import CommandError
from runtime.settings import Settings


def read_settings(**known: Any) -> Settings:
    """Read the settings of this process.

    Args:
        known: Settings that are not to come from the environment, by the names of their fields.

    Raises:
        CommandError: Some cannot be used. It names the variables and what was expected, and no value.
    """
    try:
        return Settings(**known)
    except ValidationError as error:
        wrong = [_sentence(found["loc"], found["msg"]) for found in error.errors(include_input=False)]
        raise CommandError("\n  ".join(["these settings cannot be used:", *wrong])) from None


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    if not place:
        return message.removeprefix("Value error, ")
    name = str(place[0])
    return f"{name if name.isupper() else f'PERDURE_{name.upper()}'}: {message}"
