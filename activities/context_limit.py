"""How many tokens the model takes, as the metadata of its answer says (spec chat-loop.md 1.13). Pure.

Vendors and gateways name it differently, or not at all; the largest number under a name that can mean
nothing else counts.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

_NAMES = frozenset(
    {
        "contextlimit",
        "contextwindow",
        "contextlength",
        "maxcontext",
        "maxcontexttokens",
        "maxinputtokens",
        "maxinputtoken",
        "inputtokenlimit",
    }
)
_COMBINATIONS: tuple[frozenset[str], ...] = (
    frozenset({"limit"}),
    frozenset({"window", "size"}),
    frozenset({"window", "max"}),
    frozenset({"length", "max"}),
    frozenset({"token", "max"}),
    frozenset({"tokens", "max"}),
    frozenset({"token", "limit"}),
    frozenset({"tokens", "limit"}),
)
_WORD = re.compile(r"[A-Z]*[a-z]+|[A-Z]+")
_NO_LETTER_OR_DIGIT = re.compile(r"[^a-z0-9]")


def context_limit(metadata: Any, fallback: int | None = None) -> int | None:
    """The context limit in tokens.

    Args:
        metadata: JSON of any shape that came with the end of an answer.
        fallback: the configured limit, used where the metadata says nothing.

    Returns:
        The largest limit found, else a positive fallback, else None.
    """
    found = max(_limits(metadata), default=None)
    if found is not None:
        return found
    return fallback if fallback is not None and fallback > 0 else None


def _limits(value: Any) -> Iterator[int]:
    match value:
        case Mapping():
            for key, inner in cast(Mapping[Any, Any], value).items():
                number = _positive_integer(inner)
                if number is not None and _means_the_limit(str(key)):
                    yield number
                yield from _limits(inner)
        case str() | bytes():
            return
        case Sequence():
            for inner in cast(Sequence[Any], value):
                yield from _limits(inner)
        case _:
            return


def _positive_integer(value: Any) -> int | None:
    """An integer, however it is written; None for anything else, for zero and below."""
    match value:
        case bool():
            return None
        case int():
            number = value
        case float() if value.is_integer():
            number = int(value)
        case str() if value.strip().isascii() and value.strip().isdigit() and len(value) < 20:
            number = int(value)
        case _:
            return None
    return number if number > 0 else None


def _means_the_limit(key: str) -> bool:
    if _NO_LETTER_OR_DIGIT.sub("", key.lower()) in _NAMES:
        return True
    words = {word.lower() for word in _WORD.findall(key)}
    return "context" in words and any(combination <= words for combination in _COMBINATIONS)
