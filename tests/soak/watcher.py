"""A reader that comes and goes, and minds how it is told things."""

import asyncio
import json
from dataclasses import dataclass, field
from itertools import count

import httpx2
import websockets

from tests.durable.caller import Event, Reader, text_of
from tests.soak.plan import reader_plan


@dataclass
class Watcher(Reader):
    """A reader who leaves at any moment and resumes by `Last-Event-ID`.

    Attributes:
        wrongs: what it should not have been told.
    """

    name: str = ""
    wrongs: list[str] = field(default_factory=list[str])
    resumed: int = 0
    _seq: int = 0
    _visits: asyncio.Task[None] | None = None

    def follow(self) -> None:
        """Begin to come and go."""
        self._visits = asyncio.create_task(self._come_and_go())

    async def stay(self) -> None:
        """Come once more and stay until `stop`."""
        await self._end_visits()
        self.start()

    async def stop(self) -> None:
        await self._end_visits()
        await super().stop()

    async def _end_visits(self) -> None:
        if self._visits is not None:
            self._visits.cancel()
            await asyncio.gather(self._visits, return_exceptions=True)
            self._visits = None
        await super().stop()

    async def _come_and_go(self) -> None:
        visits = count(1)
        for stay in reader_plan(self.name):
            await asyncio.sleep(stay.away_seconds)
            if stay.fresh:
                self._forget()
            self.resumed += bool(self.last_id or self.messages)
            self.start()
            await asyncio.sleep(stay.seconds)
            if self._task is not None and self._task.done():
                self.wrongs.append(f"visit {next(visits)} ended: {self._task.exception()!r}")
            await super().stop()

    def _forget(self) -> None:
        self.last_id = None
        self.messages.clear()
        self.preview, self.status = "", ""
        self.episode, self._seq = (0, 0), 0

    def _take(self, event: Event) -> None:
        match event["type"]:
            case "message_part":
                self._mind_part(event)
            case "preview_reset" | "history_reset":
                self._seq = 0
            case "message":
                self._mind_message(event)
            case _:
                pass
        super()._take(event)
        self.seen.clear()  # a long run would keep all of it
        self.seqs.clear()

    def _mind_part(self, event: Event) -> None:
        part = event["message_part"]
        episode = (part["history_version"], part["generation_attempt"])
        if episode < self.episode:
            self.wrongs.append(f"part of episode {episode} after one of {self.episode}")
        elif episode > self.episode:
            self._seq = 0
        if part["seq"] != self._seq + 1:
            self.wrongs.append(f"part {part['seq']} of episode {episode} after part {self._seq}")
        self._seq = part["seq"]

    def _mind_message(self, event: Event) -> None:
        """What was shown is what is kept, or it is of an attempt that got further or less far. A reader who
        was away for more than that is told of the next message before it is told to drop what it shows."""
        message = event["message"]
        if message["role"] == "user":
            self.preview = ""
        elif message["role"] == "assistant" and message["id"] not in self.messages:
            said = text_of(message)
            if not said.startswith(self.preview) and not self.preview.startswith(said):
                self.wrongs.append(f"message {message['id']} says {said[:80]!r}, shown {self.preview[:80]!r}")


@dataclass
class SocketWatcher(Watcher):
    """One that comes by WebSocket, resumes by `after_id`, and is told the episode in flight from its first
    part each time."""

    async def _connect(self, http: httpx2.AsyncClient) -> None:
        url = f"{self.url.replace('http', 'ws', 1)}?after_id={max(self.messages, default=0)}"
        self.preview, self._seq = "", 0
        try:
            async with websockets.connect(url, additional_headers=self.headers, proxy=None) as socket:
                self.connections += 1
                async for frame in socket:
                    for event in json.loads(frame):
                        self.take(event)
        except websockets.WebSocketException as error:
            raise OSError(str(error)) from error
