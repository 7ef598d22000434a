"""What is found out about a request on its way, kept where everything that handles it can look."""

from typing import cast
from uuid import UUID

from starlette.requests import HTTPConnection

from models.store.accounts import Caller

_CALLER, _CHAT, _HEADERS = "perdure.caller", "perdure.chat", "perdure.headers"


def remember_caller(connection: HTTPConnection, caller: Caller) -> None:
    """Keep who is asking."""
    connection.scope[_CALLER] = caller


def caller_of(connection: HTTPConnection) -> Caller:
    """Who is asking, once that has been found out."""
    return cast(Caller, connection.scope[_CALLER])


def remember_chat(connection: HTTPConnection, chat_id: UUID) -> None:
    """Keep which chat the request is about."""
    connection.scope[_CHAT] = chat_id


def chat_id_of(connection: HTTPConnection) -> UUID | None:
    """The chat that the request is about; None: about none."""
    return cast("UUID | None", connection.scope.get(_CHAT))


def answer_headers(connection: HTTPConnection) -> dict[str, str]:
    """Headers to put into the answer, whatever it will be."""
    return cast("dict[str, str]", connection.scope.setdefault(_HEADERS, {}))
