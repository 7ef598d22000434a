"""The routes of the API as methods."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx2

from cli.client.discovery import HOW_TO_START, RESTART_SECONDS, Server
from cli.client.errors import NoServer, Refused
from cli.client.shapes import Chat, Event, Message, MessagePage, Sent
from cli.client.streaming import LinkLost, follow

_PREFIX = "/api/v2"
_BACKOFF_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.0)
_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)

Notify = Callable[[str], None]
"""Is told, in a sentence, what a request waits for."""


class Client:
    """A connection to one server, between `async with` and its end.

    Requests that got no answer, or the answer that the server is not ready, are repeated for a while.
    Messages carry a key by which the server recognises the repetition, so each enters the chat once.

    Args:
        server: Where, and with which token.
        notify: Is told when a request has to be repeated.
    """

    def __init__(self, server: Server, notify: Notify | None = None) -> None:
        self.server = server
        self._notify = notify or _to_nobody
        self._met = False
        self._http = httpx2.AsyncClient(
            base_url=server.url,
            headers={"Authorization": f"Bearer {server.token}", "User-Agent": "perdure-cli"},
            timeout=_TIMEOUT,
            # a proxy for the outside world is not meant for a server on this machine
            trust_env=httpx2.URL(server.url).host not in ("127.0.0.1", "localhost", "::1"),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def create_chat(self, text: str, *, key: str | None = None) -> Chat:
        """Make a chat and have its first message answered.

        Args:
            text: The message.
            key: Idempotency key; by default a new one.
        """
        body = {"organization_id": await self._organization(), "content": _content(text)}
        return await self._post("/chats", body, key)

    async def send(
        self, chat_id: str, text: str, *, busy_behavior: str = "queue", key: str | None = None
    ) -> Sent:
        """Say something in a chat.

        Args:
            chat_id: The chat.
            text: The message.
            busy_behavior: `queue` or `interrupt`: what happens if a turn is running.
            key: Idempotency key; by default a new one.
        """
        body = {"content": _content(text), "busy_behavior": busy_behavior}
        return await self._post(f"/chats/{chat_id}/messages", body, key)

    async def interrupt(self, chat_id: str) -> Chat:
        """Stop the running turn. What the model has said so far is kept.

        Raises:
            Refused: 409, no turn is running.
        """
        return await self._post(f"/chats/{chat_id}/interrupt", None, None)

    async def chats(self, *, archived: bool = False, limit: int = 50) -> list[Chat]:
        """The caller's chats, last changed first."""
        params = {"limit": limit, **({"q": "archived:true"} if archived else {})}
        return await self._get("/chats", params)

    async def chat(self, chat_id: str) -> Chat:
        """One chat."""
        return await self._get(f"/chats/{chat_id}")

    async def messages(
        self,
        chat_id: str,
        *,
        before_id: int | None = None,
        after_id: int | None = None,
        limit: int = 50,
    ) -> MessagePage:
        """A page of history: newest first, or oldest first with `after_id` alone."""
        cursors = {"before_id": before_id, "after_id": after_id}
        params = {"limit": limit, **{name: value for name, value in cursors.items() if value is not None}}
        return await self._get(f"/chats/{chat_id}/messages", params)

    async def history(self, chat_id: str) -> tuple[list[Message], MessagePage]:
        """All messages, oldest first, and the newest page, which holds the queue."""
        newest = page = await self.messages(chat_id, limit=200)
        rows = page["messages"]
        while page["has_more"]:
            page = await self.messages(chat_id, before_id=rows[-1]["id"], limit=200)
            rows = [*rows, *page["messages"]]
        return rows[::-1], newest

    async def patch(self, chat_id: str, **changes: object) -> None:
        """Change title, labels or archived."""
        await self._request("PATCH", f"/chats/{chat_id}", json=changes)

    def events(self, chat_id: str, after_id: int | None = None) -> AsyncGenerator[Event | LinkLost]:
        """What happens in a chat, each event once, across lost connections. See `follow`."""
        return follow(self._http, f"{_PREFIX}/chats/{chat_id}/stream", after_id)

    async def _organization(self) -> str:
        return (await self._get("/users/me"))["organization_ids"][0]

    async def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return (await self._request("GET", path, params=params)).json()

    async def _post(self, path: str, body: object, key: str | None) -> Any:
        headers = {"Idempotency-Key": key or str(uuid4())}
        return (await self._request("POST", path, json=body, headers=headers)).json()

    async def _request(self, method: str, path: str, **parts: Any) -> httpx2.Response:
        """The answer to a request, which is repeated while there is none.

        Raises:
            Refused: The answer is an error.
            NoServer: Nobody answered in time.
        """
        tries, first_failure = 0, 0.0
        while True:
            last: Refused | None = None
            try:
                response = await self._http.request(method, _PREFIX + path, **parts)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                trouble = f"no answer from {self.server.url} ({_reason(error)})"
            except httpx2.TransportError as error:
                self._met = True
                trouble = f"the connection to {self.server.url} broke ({_reason(error)})"
            else:
                self._met = True
                if response.is_success:
                    return response
                refused = Refused.from_body(response.status_code, response.content)
                if response.status_code != 503:
                    raise refused
                trouble, last = refused.message, refused
            if tries == 0:
                first_failure = time.monotonic()
                self._notify(f"{trouble}; trying again")
            # whoever was there a moment ago is expected back
            patience = RESTART_SECONDS if self._met else self.server.patience_seconds
            pause = _BACKOFF_SECONDS[min(tries, len(_BACKOFF_SECONDS) - 1)]
            if time.monotonic() - first_failure + pause > patience:
                raise last or NoServer(f"{trouble}. Gave up after {tries + 1} tries.\n{HOW_TO_START}")
            await asyncio.sleep(pause)
            tries += 1


def _content(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


def _reason(error: httpx2.TransportError) -> str:
    return str(error) or type(error).__name__


def _to_nobody(text: str) -> None:
    """Notify nobody."""
