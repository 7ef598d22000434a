"""The client: where a program begins."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from perdure.client.catalog import Models, Providers
from perdure.client.chats import Chats
from perdure.client.connection import Connection, Notify
from perdure.client.discovery import STRANGER_SECONDS, Server, complete, find_server
from perdure.client.files import Files
from perdure.client.home import Home
from perdure.client.inbox import Inbox
from perdure.client.organizations import Groups, Organizations
from perdure.client.reading import read
from perdure.client.shapes import User
from perdure.client.tools import Tool, ToolFunction
from perdure.client.users import Tokens, Users

Function = TypeVar("Function", bound=ToolFunction)
T = TypeVar("T")


class Perdure:
    """A connection to one server, between `async with` and its end.

    ```python
    async with Perdure("http://127.0.0.1:8700", token="...") as perdure:
        chat = await perdure.chats.create("What time is it?")
        print((await chat.wait()).text)
    ```

    Args:
        url: Address of the server.
        token: What it is shown.
        patience_seconds: For how long the first request is repeated while nobody answers. A server that has
            been met is given the time of a restart.
        notify: Is told, in a sentence, when a request has to be repeated.

    Attributes:
        chats: The chats of the token's user.
        files: What messages attach.
        inbox: What the user is notified of.
        users, tokens, organizations, groups: People, and what they may.
        models, providers: What answers.
        server: Whom this talks to.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        patience_seconds: float = STRANGER_SECONDS,
        notify: Notify | None = None,
    ) -> None:
        self.server = Server(url=complete(url), token=token, patience_seconds=patience_seconds)
        self._connection = Connection(self.server, notify)
        self._tools: dict[str, Tool] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        home = Home(self._connection)
        self.chats = Chats(self._connection, home, self._tools, self._spawn)
        self.files = Files(self._connection, home)
        self.inbox = Inbox(self._connection)
        self.users = Users(self._connection)
        self.tokens = Tokens(self._connection)
        self.organizations = Organizations(self._connection)
        self.groups = Groups(self._connection)
        self.models = Models(self._connection, home)
        self.providers = Providers(self._connection)

    @classmethod
    def from_environment(
        cls,
        url: str | None = None,
        token: str | None = None,
        *,
        data_dir: Path | None = None,
        environment: Mapping[str, str] = os.environ,
        notify: Notify | None = None,
    ) -> Self:
        """A client of the server that the `perdure` command would talk to; see `find_server`.

        Raises:
            NoServer: None is named and none runs here, or there is no token for it.
        """
        return cls.of(find_server(url, token, data_dir=data_dir, environment=environment), notify)

    @classmethod
    def of(cls, server: Server, notify: Notify | None = None) -> Self:
        """A client of a server that was found before."""
        return cls(server.url, server.token, patience_seconds=server.patience_seconds, notify=notify)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection. Tools that still run are cancelled; their calls are others' to answer."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._connection.http.aclose()

    @overload
    def tool(self, function: Function, /) -> Function: ...

    @overload
    def tool(
        self, function: None = None, /, *, name: str | None = None, description: str | None = None
    ) -> Callable[[Function], Function]: ...

    def tool(
        self,
        function: ToolFunction | None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
    ) -> Any:
        """Register a function as a tool of chats that are made and opened from now on.

        Its name, docstring and parameters tell the model how to call it. What it returns is sent as JSON,
        what it raises as an error; it may be async, or else runs in a thread. Calls of one step run side by
        side, each once in this client.

        Args:
            name: Instead of the function's own.
            description: Instead of its docstring.

        Raises:
            TypeError: Its parameters cannot be told as a JSON object.
            ValueError: There is a tool of this name.
        """

        def register(one: ToolFunction) -> ToolFunction:
            tool = Tool.of(one, name=name, description=description)
            if tool.name in self._tools:
                raise ValueError(f"two tools have the name {tool.name!r}")
            self._tools[tool.name] = tool
            return one

        return register if function is None else register(function)

    async def me(self) -> User:
        """The user that the token belongs to."""
        return read(User, await self._connection.request("GET", "/users/me"))

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Any:
        """Any other request below `/api/v2`, repeated as all requests of this client are; its JSON.

        Args:
            method: HTTP method.
            path: Such as `/chats/config/user-compaction-thresholds`.
            json: Body.
            params: Query.
            key: Idempotency key; by default a new one for each request that changes something.
        """
        return await self._connection.request(method, path, json=json, params=params, key=key)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
