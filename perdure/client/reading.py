"""Between the arguments and answers of methods and the JSON of the API."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import quote

from pydantic import ValidationError

from perdure.client.errors import ProtocolError
from perdure.client.shapes import Shape

Content = str | Sequence[Mapping[str, Any]]
"""What to say: text, or parts as the API takes them."""

Answered = TypeVar("Answered", bound=Shape)


def parts(content: Content) -> list[Mapping[str, Any]]:
    """Content as the API takes it."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def path_of(*steps: str) -> str:
    """A path of these steps, whatever somebody has given for an id or a name."""
    return "".join(f"/{quote(step, safe='')}" for step in steps)


def read_all(kind: type[Answered], listed: Any) -> list[Answered]:
    """A list of answers as what they should be.

    Raises:
        ProtocolError: They are not.
    """
    if not isinstance(listed, list):
        raise ProtocolError(f"this answer of the server is no list of {kind.__name__}.")
    return [read(kind, fields) for fields in cast("list[Any]", listed)]


def given(**fields: object) -> dict[str, object]:
    """The fields of a request that somebody has given; None leaves one out."""
    return {name: value for name, value in fields.items() if value is not None}


def read(kind: type[Answered], fields: Any) -> Answered:
    """An answer as what it should be.

    Raises:
        ProtocolError: It is not.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise ProtocolError(f"this answer of the server is no {kind.__name__} ({error}).") from error
