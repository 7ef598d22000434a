"""What was asked of the model and how each answer ended. Bounded: the newest requests are kept."""

import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from activities.providers.demo.milestones import Milestone

MAX_REQUESTS = 1000
MAX_BYTES = 32 * 1024 * 1024
SECRET_HEADERS = frozenset({"api-key", "x-api-key", "authorization"})

Outcome = Literal["open", "completed", "rejected", "faulted", "client_disconnected"]


@dataclass(slots=True)
class RecordedRequest:
    """One request to the model.

    Attributes:
        index: number of the request since the server started, from 1.
        received_at: Unix time in seconds.
        path, query: of the address; the path tells the protocol.
        key_headers: the headers in which a key came.
        headers: as received, names in lower case, without the key.
        raw_body: as received.
        step: index of the step in the conversation, None when the request was refused.
        fault: kind of the fault that the request met, if any.
        outcome: `completed` when the whole answer was sent, `faulted` when a fault ended it, `rejected` when
            the request was not valid, `client_disconnected` when the client left first.
        pieces_sent: deltas sent, of every kind.
    """

    index: int
    received_at: float
    path: str
    query: str
    headers: dict[str, str]
    key_headers: frozenset[str]
    raw_body: bytes
    step: int | None = None
    fault: str | None = None
    outcome: Outcome = "open"
    pieces_sent: int = 0

    @property
    def body(self) -> Any:
        """The decoded body; None when it is not JSON."""
        try:
            return json.loads(self.raw_body)
        except ValueError:
            return None

    @property
    def model(self) -> str | None:
        """The model asked for; None when the body does not say."""
        body = self.body
        return body.get("model") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]

    def as_json(self) -> dict[str, Any]:
        """The record for the control routes."""
        return {
            "index": self.index,
            "received_at": self.received_at,
            "path": self.path,
            "model": self.model,
            "headers": self.headers,
            "body": self.body,
            "step": self.step,
            "fault": self.fault,
            "outcome": self.outcome,
            "pieces_sent": self.pieces_sent,
        }


@dataclass(slots=True)
class Recorder:
    """The newest requests: at most a thousand, and at most 32 MiB of bodies (but always the last one)."""

    received: Milestone = field(default_factory=Milestone)
    _requests: deque[RecordedRequest] = field(default_factory=deque[RecordedRequest])
    _bytes: int = 0
    _open: int = 0
    _ended: Milestone = field(default_factory=Milestone)

    @property
    def requests(self) -> list[RecordedRequest]:
        """Oldest first."""
        return list(self._requests)

    def begin(self, target: str, headers: dict[str, str], raw_body: bytes) -> RecordedRequest:
        """Record the arrival of a request for `target`; it stays `open` until `end`."""
        path, _, query = target.partition("?")
        public = {name: value for name, value in headers.items() if name not in SECRET_HEADERS}
        request = RecordedRequest(
            self.received.count + 1,
            time.time(),
            path,
            query,
            public,
            SECRET_HEADERS.intersection(headers),
            raw_body,
        )
        self._requests.append(request)
        self._bytes += len(raw_body)
        while len(self._requests) > MAX_REQUESTS or (self._bytes > MAX_BYTES and len(self._requests) > 1):
            self._bytes -= len(self._requests.popleft().raw_body)
        self._open += 1
        self.received.pass_by()
        return request

    def end(self, request: RecordedRequest, outcome: Outcome) -> None:
        """Record how a request ended; the first word counts."""
        if request.outcome == "open":
            request.outcome = outcome
            self._open -= 1
            self._ended.pass_by()

    def clear(self) -> None:
        """Forget the requests. Those still open go on, and the numbering too."""
        self._requests.clear()
        self._bytes = 0

    async def settled(self) -> None:
        """Wait until no request is open."""
        while self._open:
            await self._ended.reached(self._ended.count + 1)
