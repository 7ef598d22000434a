"""The chats of a user."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any

from perdure.client.actions import Actions, Approver, Spawn
from perdure.client.chat import MAX_PAGE, Chat
from perdure.client.connection import Connection
from perdure.client.events import ConnectionLost
from perdure.client.home import Home
from perdure.client.reading import Content, parts, path_of, read
from perdure.client.shapes import ChatInfo
from perdure.client.tools import Tool, ToolFunction, tools_by_name
from perdure.client.watching import ChatChange, Watching, watch


class Chats:
    """Makes, opens and lists chats.

    Args:
        connection: To the server.
        home: Where chats are made, unless another place is named.
        tools: Those that chats have unless others are given.
        spawn: Starts a task that lives as long as the client.
    """

    def __init__(self, connection: Connection, home: Home, tools: Mapping[str, Tool], spawn: Spawn) -> None:
        self._connection = connection
        self._home = home
        self._tools = tools
        self._spawn = spawn

    async def create(
        self,
        content: Content,
        *,
        tools: Iterable[Tool | ToolFunction] | None = None,
        approver: Approver | None = None,
        approval_required: Sequence[str] = (),
        active_tools: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        system_prompt: str | None = None,
        model_config_id: str | None = None,
        organization_id: str | None = None,
        key: str | None = None,
        **more: object,
    ) -> Chat:
        """Make a chat and have its first message answered. `wait` for the answer, or `stream` it.

        Args:
            content: The first message.
            tools: Functions that the model may call; by default those registered with the client.
            approver: Decides about calls of tools that need approval.
            approval_required: Names of the tools that need it in this chat.
            active_tools: Names of the deployment's tools that may be called; none: all of them.
            labels: Text by which to find the chat again.
            system_prompt: Added to the deployment's own.
            model_config_id: The model, by default the organization's.
            organization_id: Where, by default the first one that the user is in.
            key: Idempotency key, for a program that repeats this after its own restart.
            more: Further fields of the request.
        """
        offered = self._offered(tools)
        given: dict[str, object] = {
            "organization_id": await self._home.id(organization_id),
            "content": parts(content),
            "unsafe_dynamic_tools": [tool.declaration() for tool in offered.values()] or None,
            "approval_required_tools": list(approval_required) or None,
            "active_tools": list(active_tools) or None,
            "labels": dict(labels) if labels else None,
            "system_prompt": system_prompt,
            "model_config_id": model_config_id,
            **more,
        }
        body = {name: value for name, value in given.items() if value is not None}
        made = read(ChatInfo, await self._connection.request("POST", "/chats", json=body, key=key))
        return self._chat(made.id, offered, approver)

    def open(
        self,
        chat_id: str,
        *,
        tools: Iterable[Tool | ToolFunction] | None = None,
        approver: Approver | None = None,
    ) -> Chat:
        """A chat that there is already. Nothing is asked of the server yet.

        Args:
            chat_id: The chat.
            tools: Functions for the tools that it was made with; by default those registered with the client.
            approver: Decides about calls that wait for approval.
        """
        return self._chat(chat_id, self._offered(tools), approver)

    async def get(self, chat_id: str) -> ChatInfo:
        """What a chat is now.

        Raises:
            NotFound: There is none, or it is not yours.
        """
        return read(ChatInfo, await self._connection.request("GET", path_of("chats", chat_id)))

    async def list(
        self,
        *,
        query: str = "",
        labels: Mapping[str, str] | None = None,
        archived: bool = False,
        limit: int | None = None,
    ) -> AsyncGenerator[ChatInfo]:
        """Chats in the server's order: what has changed last comes first. Read a page at a time.

        Args:
            query: Search terms of the API, such as `title:clock`.
            labels: All of these.
            archived: The archived ones instead.
            limit: At most so many.
        """
        terms = f"{query} archived:true".strip() if archived else query
        wanted = [f"{name}:{value}" for name, value in (labels or {}).items()]
        after_id: str | None = None
        left = limit
        while left is None or left > 0:
            size = MAX_PAGE if left is None else min(left, MAX_PAGE)
            params = {"q": terms or None, "label": wanted or None, "after_id": after_id, "limit": size}
            found: list[Any] = await self._connection.request("GET", "/chats", params=params)
            for fields in found:
                yield (chat := read(ChatInfo, fields))
                after_id = chat.id
            if len(found) < size:
                return
            left = None if left is None else left - len(found)

    def watch(self) -> AsyncGenerator[ChatChange | Watching | ConnectionLost]:
        """What happens to the user's chats, as it happens; see `Watching`.

        Raises:
            ApiError: The token is not valid.
            NoServer: Nobody has answered for five minutes.
        """
        return watch(self._connection, "/chats/watch", ChatChange)

    def _chat(self, chat_id: str, tools: Mapping[str, Tool], approver: Approver | None) -> Chat:
        actions = Actions(self._connection, path_of("chats", chat_id), tools, approver, self._spawn)
        return Chat(self._connection, chat_id, actions)

    def _offered(self, tools: Iterable[Tool | ToolFunction] | None) -> dict[str, Tool]:
        return dict(self._tools) if tools is None else tools_by_name(tools)
