"""Writes what a person gets to see to a terminal, or plainly to a file or pipe."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from cli.terminal.shown import Asked, Called, Failed, Noted, Returned, Said, Shown, Thought, Void

_PLAIN, _BOLD, _DIM, _RED, _YELLOW, _CYAN = "0", "1", "2", "31", "33", "36"
_LONGEST = 200
# Words of a model must not move the cursor, change colours or rename the window.
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def has_colours(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is a terminal, and one that wants colours."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


class Printer:
    """Writes a chat as it goes on.

    Args:
        out: Takes what the model says.
        side: Takes the rest: thoughts, tools, notes.
        colours: Use colours.
    """

    def __init__(self, out: TextIO, side: TextIO, *, colours: bool = False) -> None:
        self._out = out
        self._side = side
        self._colours = colours
        self._flowing: type[Shown] | None = None

    @classmethod
    def for_terminal(cls) -> "Printer":
        """All of it to a terminal; else words alone to standard output, the rest to standard error."""
        if sys.stdout.isatty():
            return cls(sys.stdout, sys.stdout, colours=has_colours(sys.stdout))
        return cls(sys.stdout, sys.stderr, colours=has_colours(sys.stderr))

    def show(self, shown: Shown) -> None:
        """Write one thing. Words go on where the last words of their kind ended."""
        match shown:
            case Said(text):
                self._flow(Said, self._out, text)
            case Thought(text):
                self._flow(Thought, self._side, text, _DIM)
            case Asked(text):
                self._line(f"> {text}", _BOLD)
            case Called(tool, arguments):
                self._line(f"* {tool} {brief(arguments)}".rstrip(), _CYAN)
            case Returned(_, result, is_error):
                self._line(
                    f"  {'failed' if is_error else 'gave'}: {brief(result)}", _RED if is_error else _DIM
                )
            case Void(why):
                self._line(f"— {why} —", _YELLOW)
            case Noted(text):
                self._line(f"— {text} —", _DIM)
            case Failed(text):
                self._line(text, _RED)

    def note(self, text: str) -> None:
        """Say something beside the chat."""
        self.show(Noted(text))

    def end(self) -> None:
        """End the line that words were flowing in."""
        if self._flowing:
            stream = self._out if self._flowing is Said else self._side
            stream.write("\n")
            stream.flush()
            self._flowing = None

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[{_PLAIN}m" if self._colours and text else text

    def _flow(self, kind: type[Shown], stream: TextIO, text: str, colour: str | None = None) -> None:
        if self._flowing is not kind:
            self.end()
            self._flowing = kind
            text = text.lstrip("\n")
        text = _safe(text, stream)
        stream.write(self._paint(text, colour) if colour else text)
        stream.flush()

    def _line(self, text: str, colour: str) -> None:
        self.end()
        self._side.write(self._paint(_safe(text, self._side), colour) + "\n")
        self._side.flush()


def brief(value: Any) -> str:
    """A tool's arguments or result, in one line."""
    if value is None or value == {}:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _safe(text: str, stream: TextIO) -> str:
    return text.translate(_CONTROLS) if stream.isatty() else text
