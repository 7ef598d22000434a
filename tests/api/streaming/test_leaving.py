"""Readers who leave before they are let in."""

import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from api.middleware import RequestContext

SOCKET: Scope = {"type": "websocket", "path": "/", "scheme": "ws", "headers": [], "query_string": b""}


class Gone(OSError):
    """What a server says of a client that is gone."""


async def nothing_comes() -> Message:
    return {"type": "websocket.connect"}


async def nobody_is_there(message: Message) -> None:
    raise Gone


async def test_one_who_leaves_during_the_handshake_is_no_failed_request():
    async def accepting(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})

    with capture_logs() as logs, pytest.raises(Gone):
        await RequestContext(accepting)(SOCKET, nothing_comes, nobody_is_there)
    assert logs == []


async def test_what_goes_wrong_on_our_side_is_still_told():
    sent: list[Message] = []

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise OSError("no database")

    async def take(message: Message) -> None:
        sent.append(message)

    with capture_logs() as logs:
        await RequestContext(failing)(SOCKET, nothing_comes, take)
    assert [line["event"] for line in logs] == ["request failed"]
    assert sent
