"""Reads along with an answer that passes, and never disturbs it."""

import structlog

from api.gateway.findings import Findings
from api.gateway.sse import EventReader, ServerEvent

MAX_BYTES = 16 * 1024 * 1024
"""Of one event, or of an answer in one piece. Of what is larger nothing is known."""

PLAIN = ("", "identity")
"""Encodings of a body that can be read as it is."""

log = structlog.get_logger("gateway")


class Tap:
    """Takes note of the bytes of one answer.

    Attributes:
        broken: it could not be read to its end. What was found until then stands.
    """

    def __init__(self, findings: Findings, most_bytes: int = MAX_BYTES) -> None:
        self.findings = findings
        self._most_bytes = most_bytes
        self.broken = False
        self._events: EventReader | None = None
        self._body = bytearray()

    def begin(self, *, content_type: str, encoding: str) -> None:
        """An answer begins: a stream of events, or one piece of JSON.

        Args:
            encoding: how it is compressed; empty, as we have asked for: not at all.
        """
        self._events = EventReader(self._most_bytes) if content_type.startswith("text/event-stream") else None
        if encoding not in PLAIN:
            self._give_up("compressed")

    def feed(self, piece: bytes) -> None:
        """Take note of a piece."""
        if self.broken:
            return
        try:
            if self._events is not None:
                for event in self._events.feed(piece):
                    self._read(event)
            elif len(self._body) + len(piece) > self._most_bytes:
                self._give_up("too large")
            else:
                self._body += piece
        except Exception as error:  # noqa: BLE001
            self._give_up(type(error).__name__)

    def _read(self, event: ServerEvent) -> None:
        try:
            self.findings.read_event(event)
        except ValueError as error:  # one that is no JSON takes the others nothing away
            log.info("an event cannot be read on its way", error=type(error).__name__)

    def end(self) -> None:
        """The answer has come to its end."""
        if self.broken or self._events is not None:
            return
        try:
            self.findings.read_body(bytes(self._body))
        except Exception as error:  # noqa: BLE001
            self._give_up(type(error).__name__)

    def _give_up(self, why: str) -> None:
        """The text of an exception is not told: it may quote what was said."""
        self.broken = True
        self._body.clear()
        log.warning("an answer cannot be read on its way", why=why)
