"""The chat in the path of a request, for those who may do what the route does.

A route says what it needs by the type of its parameter: `CurrentChat` to read, `UpdatableChat` to change,
`OwnedChat` to have a turn run. Who may is a table: `models.permissions.CHATS`.
"""

from typing import Annotated
from uuid import UUID

import structlog
from fastapi import Depends
from starlette.requests import HTTPConnection

from api.auth.principals import CurrentCaller, authenticate
from api.auth.state import remember_chat
from api.chats.segments import ChatId
from api.errors import ApiError, invalid, not_found
from api.services import services_of
from models.permissions import CHATS, ChatAction, Verdict
from models.store import chats
from models.store.chats import ChatRecord

_FORBIDDEN = {
    ChatAction.RUN: (
        "Only the owner of a chat may do this.",
        "A turn runs with the credentials of its owner.",
    ),
    ChatAction.SHARE: ("You may not share this chat.", "Its owner and administrators may."),
}


async def find_chat(connection: HTTPConnection, chat: ChatId, caller: CurrentCaller) -> ChatRecord:
    """The chat in the path, if the caller may read it.

    Raises:
        ApiError: 404, there is none for this caller.
    """
    structlog.contextvars.bind_contextvars(chat_id=str(chat))
    return _found(connection, await chats.find_chat(services_of(connection).engine, caller, chat))


async def find_streamed_chat(connection: HTTPConnection, chat: ChatId, caller: CurrentCaller) -> ChatRecord:
    """The chat in the path as `api.streaming.admission` knows it.

    Raises:
        ApiError: 404, there is none for this caller. 503, too many want to follow at once.
    """
    structlog.contextvars.bind_contextvars(chat_id=str(chat))
    return _found(connection, await services_of(connection).admission.find(caller, chat))


async def find_socket_chat(connection: HTTPConnection, chat: str) -> ChatRecord:
    """The same for sockets, whose errors are answers before the upgrade."""
    caller = await authenticate(connection)
    try:
        chat_id = UUID(chat)
    except ValueError:
        raise invalid(("chat", "Must be a UUID.")) from None
    return await find_streamed_chat(connection, chat_id, caller)


def _found(connection: HTTPConnection, record: ChatRecord | None) -> ChatRecord:
    if record is None:
        raise not_found("chat")
    remember_chat(connection, record.id)
    return record


CurrentChat = Annotated[ChatRecord, Depends(find_chat)]
"""A chat that the caller may read."""

StreamedChat = Annotated[ChatRecord, Depends(find_streamed_chat)]
"""A chat that the caller may read and is about to follow."""


def require(chat: ChatRecord, action: ChatAction) -> ChatRecord:
    """The chat, if the caller that it was read for may do this with it.

    Raises:
        ApiError: 403, only others may. 404, the caller may only read it.
    """
    verdict = CHATS[chat.access][action] if chat.access is not None else Verdict.HIDDEN
    if verdict is Verdict.HIDDEN:
        raise not_found("chat")
    if verdict is Verdict.FORBIDDEN:
        raise ApiError(403, *_FORBIDDEN[action])
    return chat


def refuse_archived(chat: ChatRecord) -> None:
    """Leave an archived chat alone.

    Raises:
        ApiError: 400, it is archived.
    """
    if chat.state.archived:
        raise ApiError(400, "The chat is archived.", "Unarchive it first: PATCH it with archived false.")


def _updatable(chat: CurrentChat) -> ChatRecord:
    return require(chat, ChatAction.UPDATE)


def _owned(chat: CurrentChat) -> ChatRecord:
    return require(chat, ChatAction.RUN)


UpdatableChat = Annotated[ChatRecord, Depends(_updatable)]
"""A chat that the caller may change: 404 for those who may only read it."""

OwnedChat = Annotated[ChatRecord, Depends(_owned)]
"""A chat of the caller's own: 403 for administrators, 404 for those who may only read it."""
