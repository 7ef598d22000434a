"""Between the arguments and answers of methods and the JSON of the API."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
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


def chat_path(chat_id: str) -> str:
    """The path of a chat, whatever somebody has given for its id."""
    return f"/chats/{quote(chat_id, safe='')}"


def read(kind: type[Answered], fields: Any) -> Answered:
    """An answer as what it should be.

    Raises:
        ProtocolError: It is not.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise ProtocolError(f"this answer of the server is no {kind.__name__} ({error}).") from error
