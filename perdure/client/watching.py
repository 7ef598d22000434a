"""Watching lists: the user's chats, and the inbox."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from perdure.client.connection import PREFIX, Connection
from perdure.client.events import ConnectionLost
from perdure.client.reading import Answered, read
from perdure.client.shapes import ChatInfo, PendingCall, Shape
from perdure.client.streaming import Connected, connections, json_of


class ChatChange(Shape):
    """A chat of the user's has changed. `kind` is `created`, `deleted` (archived), `status_change`,
    `title_change`, `summary_change`, `chat_summary_change`, or `action_required`, which brings
    `tool_calls`."""

    kind: str
    chat: ChatInfo
    tool_calls: tuple[PendingCall, ...] = ()


@dataclass(frozen=True)
class Watching:
    """Changes follow from here on, and none of before. Read the list now: this comes first, and again after
    each connection that ended, during which changes may have been missed."""


async def watch(
    connection: Connection, path: str, kind: type[Answered], params: Mapping[str, str] | None = None
) -> AsyncGenerator[Answered | Watching | ConnectionLost]:
    """The changes of a list, over lost connections, too.

    Raises:
        ApiError: The token is not valid, or not for this.
        NoServer: Nobody has answered for five minutes.
        ProtocolError: What came is no stream of changes.
    """
    async with aclosing(
        connections(connection.http, f"{PREFIX}{path}", params or {}, lambda: None)
    ) as messages:
        async for message in messages:
            match message:
                case Connected():
                    yield Watching()
                case ConnectionLost():
                    yield message
                case _:
                    yield read(kind, json_of(message))
