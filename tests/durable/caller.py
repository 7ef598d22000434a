"""A client that sees everything: what it posted, what its readers were sent, what the rows say."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx2

from tests.durable.rows import Rows

Event = dict[str, Any]
Body = dict[str, Any]


def text_of(message: Body) -> str:
    return "".join(part["text"] for part in message.get("content", []) if part["type"] == "text")


@dataclass
class Reader:
    """One reader of a chat's stream, connected again by `Last-Event-ID` whenever the connection ends.

    Attributes:
        messages: by id, the last version sent of each.
        seen: events in the order they came, over all connections.
        preview: text of the episode in flight, as a person would see it.
    """

    url: str
    headers: dict[str, str]
    seen: list[Event] = field(default_factory=list[Event])
    messages: dict[int, Body] = field(default_factory=dict[int, Body])
    preview: str = ""
    episode: tuple[int, int] = (0, 0)
    seqs: dict[tuple[int, int], list[int]] = field(default_factory=dict[tuple[int, int], list[int]])
    status: str = ""
    last_id: str | None = None
    connections: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def until(self, what: Callable[["Reader"], Any], seconds: float = 40) -> None:
        """Wait for something to be seen."""
        async with asyncio.timeout(seconds):
            while not what(self):
                self._changed.clear()
                await self._changed.wait()

    async def connected(self) -> None:
        await self.until(lambda reader: reader.status)

    async def rested(self, answers: int = 1) -> None:
        """Wait until the chat rests and this many assistant messages have been sent."""
        await self.until(lambda r: r.status in ("waiting", "error") and len(r.answers()) >= answers)

    def answers(self) -> list[Body]:
        return [message for _, message in sorted(self.messages.items()) if message["role"] == "assistant"]

    async def _run(self) -> None:
        async with httpx2.AsyncClient(timeout=httpx2.Timeout(5, read=30)) as http:
            while True:
                try:
                    await self._connect(http)
                except (httpx2.HTTPError, OSError):
                    await asyncio.sleep(0.05)

    async def _connect(self, http: httpx2.AsyncClient) -> None:
        headers = {**self.headers, "Accept": "text/event-stream"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        async with http.stream("GET", self.url, headers=headers) as response:
            response.raise_for_status()
            self.connections += 1
            async for event_id, event in _server_sent_events(response):
                if event_id:
                    self.last_id = event_id
                self.take(event)

    def take(self, event: Event) -> None:
        """See an event."""
        self._take(event)
        self._changed.set()

    def _take(self, event: Event) -> None:
        self.seen.append(event)
        match event["type"]:
            case "message":
                self.messages[event["message"]["id"]] = event["message"]
                if event["message"]["role"] == "assistant":
                    self.preview = ""
            case "message_part":
                body = event["message_part"]
                self.episode = (body["history_version"], body["generation_attempt"])
                self.seqs.setdefault(self.episode, []).append(body["seq"])
                if body["part"]["type"] == "text":
                    self.preview += body["part"]["text"]
            case "preview_reset":
                self.preview = ""
            case "history_reset":
                self.messages.clear()
            case "status":
                self.status = event["status"]["status"]
            case _:
                pass


async def _server_sent_events(response: httpx2.Response) -> AsyncGenerator[tuple[str | None, Event]]:
    event_id, data = None, ""
    async for line in response.aiter_lines():
        if line.startswith("id:"):
            event_id = line[3:].strip()
        elif line.startswith("data:"):
            data = line[5:].strip()
        elif not line and data:
            yield event_id, json.loads(data)
            event_id, data = None, ""


AnyReader = TypeVar("AnyReader", bound=Reader)


class Caller:
    """A person with a token."""

    def __init__(self, url: str, token: str, rows: Rows) -> None:
        self.url = f"{url}/api/v2/chats"
        self.headers = {"Coder-Session-Token": token}
        self.rows = rows
        self.http = httpx2.AsyncClient(headers=self.headers, timeout=30)
        self.v2 = httpx2.AsyncClient(base_url=f"{url}/api/v2", headers=self.headers, timeout=30)
        self._readers: list[Reader] = []
        self._root = url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self._readers:
            await reader.stop()
        await self.http.aclose()
        await self.v2.aclose()

    async def create(self, text: str, **fields: Any) -> str:
        """A new chat that is asked `text`."""
        me = await self.rows.first_user()
        answer = await self.http.post(
            self.url,
            json={
                "organization_id": str(me.organization_id),
                "content": [{"type": "text", "text": text}],
                **fields,
            },
            headers={"Idempotency-Key": str(uuid4())},
        )
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def send(
        self, chat: str, text: str, *, busy: str = "queue", key: str | None = None, **fields: Any
    ) -> Body:
        answer = await self.try_to_send(chat, text, busy=busy, key=key, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def try_to_send(
        self, chat: str, text: str, *, busy: str = "queue", key: str | None = None, **fields: Any
    ) -> httpx2.Response:
        return await self.http.post(
            f"{self.url}/{chat}/messages",
            json={"content": [{"type": "text", "text": text}], "busy_behavior": busy, **fields},
            headers={"Idempotency-Key": key or str(uuid4())},
        )

    async def edit(
        self, chat: str, message: int, text: str, *, key: str | None = None, **fields: Any
    ) -> httpx2.Response:
        return await self.http.patch(
            f"{self.url}/{chat}/messages/{message}",
            json={"content": [{"type": "text", "text": text}], **fields},
            headers={"Idempotency-Key": key or str(uuid4())},
        )

    async def upload(self, name: str, data: bytes, media_type: str) -> str:
        """Store a file; its id."""
        me = await self.rows.first_user()
        answer = await self.http.post(
            f"{self.url}/files",
            params={"organization": str(me.organization_id)},
            content=data,
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": media_type},
        )
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def promote(self, chat: str, queued: int) -> httpx2.Response:
        return await self.http.post(f"{self.url}/{chat}/queue/{queued}/promote")

    async def delete_queued(self, chat: str, queued: int) -> httpx2.Response:
        return await self.http.delete(f"{self.url}/{chat}/queue/{queued}")

    async def first_message(self, chat: str) -> int:
        """The id of the message that made the chat."""
        return (await self.messages(chat))[0]["id"]

    async def set_archived(self, chat: str, archived: bool) -> httpx2.Response:
        return await self.http.patch(f"{self.url}/{chat}", json={"archived": archived})

    async def ask(self, chat: str, command: str) -> httpx2.Response:
        """A command without a body."""
        return await self.http.post(f"{self.url}/{chat}/{command}")

    async def post(self, chat: str, what: str, body: Body) -> httpx2.Response:
        return await self.http.post(f"{self.url}/{chat}/{what}", json=body)

    async def interrupt(self, chat: str) -> httpx2.Response:
        return await self.http.post(f"{self.url}/{chat}/interrupt")

    async def insist_on_interrupt(self, chat: str) -> httpx2.Response:
        """Interrupt, and again under the same key while there is no worker to take it."""
        key = {"Idempotency-Key": str(uuid4())}
        while True:
            answer = await self.http.post(f"{self.url}/{chat}/interrupt", headers=key)
            if answer.status_code != 503:
                return answer

    def read(self, chat: str) -> Reader:
        return self.follow(Reader(f"{self.url}/{chat}/stream", self.headers))

    def follow(self, reader: AnyReader) -> AnyReader:
        """Let a reader go, and stop it when the caller is done."""
        self._readers.append(reader)
        reader.start()
        return reader

    async def messages(self, chat: str) -> list[Body]:
        answer = await self.http.get(f"{self.url}/{chat}/messages", params={"limit": 200})
        assert answer.status_code == 200, answer.text
        return list(reversed(answer.json()["messages"]))

    async def agree(self, reader: Reader, chat: str, said: list[str], answers: list[str]) -> None:
        """The reader ended with exactly the rows, and these are what was said and answered.

        Fails where a message is lost, doubled or out of order, a part was sent twice or skipped, or the
        reader knows anything else than a fresh GET.
        """
        stored = await self.messages(chat)
        assert [text_of(m) for m in stored if m["role"] == "user"] == said
        assert [text_of(m) for m in stored if m["role"] == "assistant"] == answers
        assert [reader.messages[key] for key in sorted(reader.messages)] == stored
        for episode, seqs in reader.seqs.items():
            assert seqs == list(range(1, len(seqs) + 1)), f"parts of episode {episode}: {seqs}"
        assert reader.preview == ""
        await self.rows.sound(chat)
