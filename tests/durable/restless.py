"""Readers whose connections break again and again, each time at another process."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx2
import websockets

from tests.durable.caller import Event, Reader


class Enough(OSError):
    """The connection has lasted as long as it should."""


@dataclass
class RestlessReader(Reader):
    """Resumes by `Last-Event-ID`.

    Attributes:
        addresses: Where it connects next.
        stay: How many events it takes before it leaves; at least three, or it would not come to rest.
    """

    addresses: Iterator[str] = field(default_factory=lambda: iter(()))
    stay: Callable[[], int] = lambda: 3
    _left: int = 0

    async def _connect(self, http: httpx2.AsyncClient) -> None:
        self.url = next(self.addresses)
        self._left = self.stay()
        await super()._connect(http)

    def take(self, event: Event) -> None:
        super().take(event)
        self._left -= 1
        if self._left <= 0:
            raise Enough


@dataclass
class RestlessSocket(RestlessReader):
    """Resumes by `after_id`, and so is told the episode in flight from its first part on each connection.

    Attributes:
        tellings: The parts of each connection.
    """

    tellings: list[dict[tuple[int, int], list[int]]] = field(
        default_factory=list[dict[tuple[int, int], list[int]]]
    )

    async def _connect(self, http: httpx2.AsyncClient) -> None:
        self._left = self.stay()
        url = f"{next(self.addresses).replace('http', 'ws', 1)}?after_id={max(self.messages, default=0)}"
        try:
            async with websockets.connect(url, additional_headers=self.headers, proxy=None) as socket:
                self.connections += 1
                self.seqs = {}
                self.tellings.append(self.seqs)
                async for frame in socket:
                    for event in json.loads(frame):
                        self.take(event)
        except websockets.WebSocketException as error:
            raise OSError(str(error)) from error
