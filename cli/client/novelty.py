"""Keeps what a reader has seen, so that a resumed stream brings everything once."""

from collections.abc import Iterator
from typing import Any

from cli.client.shapes import Event, Message


class Novelty:
    """Lets through what is new in a stream that may repeat itself after each reconnect.

    A message is new when its row is; a part when its place (history version, attempt, number) is later
    than the last one; a state when it differs from the last one told. A `preview_reset` says that shown
    parts are void: it is passed on when that is true, that is after a commit, or when parts of another
    attempt follow, and not when the same parts are merely sent again.
    """

    def __init__(self) -> None:
        self._messages: dict[int, Message] = {}
        self._place: tuple[int, int, int] = (-1, 0, 0)
        self._previewing = False
        self._committed = False
        self._states: dict[str, Any] = {}

    def filter(self, event: Event) -> Iterator[Event]:
        """The events to pass on for this one: none, itself, or itself after a reset."""
        match event:
            case {"type": "message", "message": message}:
                if self._messages.get(message["id"]) != message:
                    self._messages[message["id"]] = message
                    self._committed = True
                    yield event
            case {"type": "message_part"}:
                yield from self._part(event)
            case {"type": "preview_reset"}:
                if self._previewing and self._committed:
                    self._previewing = False
                    yield event
            case {"type": "history_reset"}:
                self._messages.clear()
                yield event
            case _:
                yield from self._state(event)

    def _part(self, event: Event) -> Iterator[Event]:
        piece = event.get("message_part", {})
        place = (piece.get("history_version", 0), piece.get("generation_attempt", 0), piece.get("seq", 0))
        if "seq" in piece and place <= self._place:
            return
        if self._previewing and place[:2] != self._place[:2]:
            yield {"type": "preview_reset", "chat_id": event.get("chat_id", "")}
        self._place = place
        self._previewing, self._committed = True, False
        yield event

    def _state(self, event: Event) -> Iterator[Event]:
        kind = event["type"]
        if self._states.get(kind) == event:
            return
        if kind == "status":
            # the same failure in a later turn is news
            self._states.clear()
        self._states[kind] = event
        yield event
