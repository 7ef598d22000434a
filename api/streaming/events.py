"""Events of a stream: encoded once, sent to many (spec api.md 6.1)."""

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import orjson


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has come: the last message it has, and the last part of which episode.

    Its text is the `id` of an SSE event, and comes back as `Last-Event-ID`.
    """

    message_id: int = 0
    history_version: int = 0
    generation_attempt: int = 0
    seq: int = 0

    def __str__(self) -> str:
        return f"{self.message_id}.{self.history_version}.{self.generation_attempt}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an event id, or a bare message id.

        Raises:
            ValueError: It is neither.
        """
        fields = text.split(".")
        if len(fields) not in (1, 4) or not all(f.isascii() and f.isdigit() and len(f) < 20 for f in fields):
            raise ValueError(text)
        numbers = [int(field) for field in fields]
        if any(number >= 2**63 for number in numbers):
            raise ValueError(text)
        return cls(*numbers)

    def same_episode(self, other: "Position") -> bool:
        return (self.history_version, self.generation_attempt) == (
            other.history_version,
            other.generation_attempt,
        )


class Event:
    """One event: its JSON, and where a reader is once it has it; None in a stream that cannot be resumed."""

    __slots__ = ("_sse", "body", "kind", "position")

    def __init__(self, kind: str, body: bytes, position: Position | None = None) -> None:
        self.kind = kind
        self.body = body
        self.position = position
        self._sse: bytes | None = None

    @property
    def sse(self) -> bytes:
        """The event in the text form of server-sent events."""
        if self._sse is None:
            number = b"" if self.position is None else b"id: %b\n" % str(self.position).encode()
            self._sse = b"event: %b\ndata: %b\n%b\n" % (self.kind.encode(), self.body, number)
        return self._sse


def event(kind: str, chat_id: UUID, position: Position, payload: dict[str, Any] | None = None) -> Event:
    """Encode an event with its envelope."""
    body = orjson.dumps({"type": kind, "chat_id": chat_id, **(payload or {})})
    return Event(kind, body, position)
