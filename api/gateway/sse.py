"""Server-sent events out of bytes that are cut anywhere."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r(?=[\s\S])")
"""A CR that is the last byte so far may be one half of CR LF."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. `name` is empty where the stream gives none; `data` is what stood in its lines."""

    name: str
    data: bytes


class EventTooLarge(Exception):
    """An event is larger than anybody wants to keep."""


class EventReader:
    """Reads events from pieces of any size.

    Args:
        most_bytes: of one event.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._rest = bytearray()
        self._searched = 0
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[ServerEvent]:
        """The events that are whole with this piece.

        Raises:
            EventTooLarge: one grows beyond what is kept.
        """
        self._rest += piece
        begin = 0
        while (end := _LINE_END.search(self._rest, max(begin, self._searched))) is not None:
            line = bytes(self._rest[begin : end.start()])
            begin = end.end()
            event = self._read(line)
            if event is not None:
                yield event
        del self._rest[:begin]
        self._searched = max(len(self._rest) - 1, 0)
        if len(self._rest) + self._size > self._most_bytes:
            raise EventTooLarge

    def _read(self, line: bytes) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(line)  # an empty value takes room, too
        elif field == b"event":
            self._name = value.decode(errors="replace")
        return None

    def _dispatch(self) -> ServerEvent | None:
        event = ServerEvent(self._name, b"\n".join(self._data)) if self._data else None
        self._name, self._data, self._size = "", [], 0
        return event
