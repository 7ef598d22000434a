"""How deep JSON may be nested that is kept. Pure."""

from collections.abc import Iterable
from typing import Any, cast

STORED_LEVELS = 100
"""Objects and arrays in each other, of a value that is kept. Encoders give up on some hundreds."""


def nests_deeper(value: Any) -> bool:
    """Whether objects and arrays stand in each other more than `STORED_LEVELS` deep. What was read from JSON
    may be too deep to be written again."""
    level: list[Any] = [value]
    for _ in range(STORED_LEVELS):
        level = [inner for outer in level for inner in _within(outer) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _within(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return cast("dict[str, Any]", value).values()
        case list():
            return cast("list[Any]", value)
        case _:
            return ()
