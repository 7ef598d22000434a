"""Handing open streams to the guard."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from starlette.requests import HTTPConnection

from api.auth.state import caller_of, chat_id_of
from api.services import services_of


def guarded(connection: HTTPConnection, end: Callable[[], None]) -> AbstractAsyncContextManager[None]:
    """While the block runs, have `end` called once the caller may read no more of what the connection is
    about: the chat in its path, or else what is their own."""
    caller = caller_of(connection)
    return services_of(connection).guard.watching(caller.token_id, chat_id_of(connection), end)
