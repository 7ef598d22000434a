"""Keeps what a reader has seen, so that a resumed stream brings everything once."""

from collections import OrderedDict
from collections.abc import Iterator

from perdure.client.events import (
    HistoryResetEvent,
    MessageEvent,
    OtherEvent,
    PartEvent,
    PreviewResetEvent,
    StatusEvent,
    WireEvent,
)

_REMEMBERED_MESSAGES = 1000


class Novelty:
    """Lets through what is new in a stream that may repeat itself after each reconnect.

    A message is new when its row is; a part when its place (history version, attempt, number) is later
    than the last one; a state when it differs from the last one told; what is unknown, always. A
    `preview_reset` says that shown parts are void: it is passed on when that is true, that is after a
    commit, or when parts of another attempt follow, and not when the same parts are merely sent again.

    Of the messages the newest thousand are remembered: a server that is told where the reader is repeats
    none that lie behind.
    """

    def __init__(self) -> None:
        self._messages: OrderedDict[int, int] = OrderedDict()
        self._place: tuple[int, int, int] = (-1, 0, 0)
        self._previewing = False
        self._committed = False
        self._states: dict[str, WireEvent] = {}

    def filter(self, event: WireEvent) -> Iterator[WireEvent]:
        """The events to pass on for this one: none, itself, or itself after a reset."""
        match event:
            case MessageEvent():
                yield from self._message(event)
            case PartEvent():
                yield from self._part(event)
            case PreviewResetEvent():
                if self._previewing and self._committed:
                    self._previewing = False
                    yield event
            case HistoryResetEvent():
                self._messages.clear()
                yield event
            case OtherEvent():
                yield event  # nobody here knows whether it says the same thing twice
            case _:
                yield from self._state(event)

    def _message(self, event: MessageEvent) -> Iterator[WireEvent]:
        row = event.message
        content = hash(row.model_dump_json())
        if self._messages.get(row.id) == content:
            return
        self._messages[row.id] = content
        self._messages.move_to_end(row.id)
        if len(self._messages) > _REMEMBERED_MESSAGES:
            self._messages.popitem(last=False)
        self._committed = True
        yield event

    def _part(self, event: PartEvent) -> Iterator[WireEvent]:
        piece = event.message_part
        place = (piece.history_version, piece.generation_attempt, piece.seq or 0)
        if piece.seq is not None and place <= self._place:
            return
        if self._previewing and place[:2] != self._place[:2]:
            yield PreviewResetEvent(type="preview_reset", chat_id=event.chat_id)
        self._place = place
        self._previewing, self._committed = True, False
        yield event

    def _state(self, event: WireEvent) -> Iterator[WireEvent]:
        if self._states.get(event.type) == event:
            return
        if isinstance(event, StatusEvent):
            # the same failure in a later turn is news
            self._states.clear()
        self._states[event.type] = event
        yield event
