"""JSON objects that nobody can change: one copy may be shared by everyone in a process."""

from collections.abc import Mapping
from typing import Annotated, Any, NoReturn, cast

from pydantic import AfterValidator

MAX_DEPTH = 16
"""Deeper nesting is refused: no vendor has an option like that, and recursion has to end somewhere."""


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise TypeError("this object is shared: copy it before you change it")


_REFUSED: Any = _refuse  # the names below are typed as the many ways in which a dict is changed


class FrozenObject(dict[str, Any]):
    """A JSON object that raises when it is written to. It is encoded, compared and read like any other."""

    __setitem__ = __delitem__ = __ior__ = _REFUSED
    clear = pop = popitem = setdefault = update = _REFUSED

    def __deepcopy__(self, memo: object) -> "FrozenObject":
        return self

    def __reduce__(self) -> Any:
        return FrozenObject, (dict(self),)


def freeze(value: Any, depth: int = 0) -> Any:
    """JSON with its objects frozen and its arrays as tuples.

    Raises:
        ValueError: it is nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"Must not be nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value).items()
        return FrozenObject({key: freeze(entry, depth + 1) for key, entry in entries})
    if isinstance(value, list | tuple):
        return tuple(freeze(entry, depth + 1) for entry in cast("list[Any]", value))
    return value


JsonObject = Annotated[Mapping[str, Any], AfterValidator(freeze)]
"""A field that takes any JSON object and keeps it frozen."""
