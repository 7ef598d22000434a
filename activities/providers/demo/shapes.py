"""What decoded JSON is, told to the type checker, too."""

from typing import Any, cast


def as_object(value: Any) -> dict[str, Any] | None:
    """The value, if it is a JSON object."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    """The value, if it is a JSON array."""
    return cast(list[Any], value) if isinstance(value, list) else None
