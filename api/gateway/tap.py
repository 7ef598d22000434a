"""Reads along with an answer that passes, and never disturbs it."""

import structlog

from api.gateway.findings import Findings
from api.gateway.sse import EventReader

MAX_BYTES = 16 * 1024 * 1024
"""Of one event, or of an answer in one piece. Of what is larger nothing is known."""

log = structlog.get_logger("gateway")


class Tap:
    """Takes note of the bytes of one answer.

    Attributes:
        broken: it could not be read to its end. What was found until then stands.
    """

    def __init__(self, findings: Findings, *, streamed: bool) -> None:
        """Prepare to read.

        Args:
            streamed: the answer is a stream of events.
        """
        self.findings = findings
        self.broken = False
        self._events = EventReader(MAX_BYTES) if streamed else None
        self._body = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take note of a piece."""
        if self.broken:
            return
        try:
            if self._events is not None:
                for event in self._events.feed(piece):
                    self.findings.read_event(event)
            elif len(self._body) + len(piece) > MAX_BYTES:
                self._give_up("too large")
            else:
                self._body += piece
        except Exception as error:  # noqa: BLE001
            self._give_up(type(error).__name__)

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
