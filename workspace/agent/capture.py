"""What is kept of a process's output: its beginning and its end."""

import codecs

from workspace.protocol import HEAD_BYTES, MAX_OUTPUT_LINE_BYTES, TAIL_BYTES


class HeadTail:
    """Takes any amount of output and keeps a bounded part of it."""

    def __init__(self) -> None:
        self.original_bytes = 0
        self._head = bytearray()
        self._tail = bytearray()
        self._between = 0
        self._line_bytes = 0

    @property
    def retained_bytes(self) -> int:
        return len(self._head) + min(len(self._tail), TAIL_BYTES)

    def write(self, data: bytes) -> None:
        """Take more output in."""
        self.original_bytes += len(data)
        kept = self._cut_lines(data)
        room = HEAD_BYTES - len(self._head)
        self._head += kept[:room]
        self._tail += kept[room:]
        if len(self._tail) > 4 * TAIL_BYTES:  # not at every write: moving the rest costs, too
            self._trim()

    def text(self) -> tuple[str, str]:
        """Beginning and end; all in the first where nothing was left out between them."""
        self._trim()
        if not self._between:
            return (self._head + self._tail).decode(errors="replace"), ""
        # a character that was cut in two is left out
        head = codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(self._head))
        start = next((i for i, byte in enumerate(self._tail[:3]) if byte & 0xC0 != 0x80), 3)
        return head, self._tail[start:].decode(errors="replace")

    def _trim(self) -> None:
        excess = len(self._tail) - TAIL_BYTES
        if excess > 0:
            self._between += excess
            del self._tail[:excess]

    def _cut_lines(self, data: bytes) -> bytes:
        kept: list[bytes] = []
        for number, piece in enumerate(data.split(b"\n")):
            if number:
                kept.append(b"\n")
                self._line_bytes = 0
            kept.append(piece[: max(0, MAX_OUTPUT_LINE_BYTES - self._line_bytes)])
            self._line_bytes += len(piece)
        return b"".join(kept)
