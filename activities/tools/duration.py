"""Spans of time as a model writes them: `10s`, `1m30s`, `4h`."""

import re

from activities.tools.tool import ToolError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_WHOLE = re.compile(rf"(?:{_PIECE.pattern})+")

MAX_SECONDS = 4 * 3600.0


def seconds_of(text: str, name: str, *, zero: bool = False) -> float:
    """Seconds of a span, at most four hours.

    Args:
        name: of the parameter, for what is said about it.
        zero: whether no time at all is a span, too.

    Raises:
        ToolError: it is not one, or too long.
    """
    written = text.strip().lower()
    if not _WHOLE.fullmatch(written):
        raise ToolError(f"{name}: {text!r} is not a span of time. Write it like 30s, 1m30s or 2h.")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PIECE.findall(written))
    if seconds > MAX_SECONDS:
        raise ToolError(f"{name}: {text} is too long; 4h is the most.")
    if seconds == 0 and not zero:
        raise ToolError(f"{name}: it must be longer than nothing.")
    return seconds
