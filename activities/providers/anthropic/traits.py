"""What the models of the vendor take, read from their names. Pure.

A name may be that of another platform (`us.anthropic.claude-opus-4-5-20251101-v1:0`,
`claude-opus-4-5@20251101`). What is not called Claude, but speaks the protocol, is taken to know its older
form only.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

from models.effort import Effort


class Thinking(Enum):
    """How a model is asked to think: not at all, with a budget of tokens, or as it sees fit."""

    NEVER = auto()
    BUDGET = auto()
    ADAPTIVE = auto()


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model takes.

    Attributes:
        thinking: the form in which it is asked to think.
        efforts: what it takes as an effort, in order; empty where it takes none.
        sampling: takes temperature, top_p and top_k.
        interleaves_on_request: thinks between tool calls, if a beta header asks for it.
    """

    thinking: Thinking
    efforts: tuple[Effort, ...] = ()
    sampling: bool = True
    interleaves_on_request: bool = False


_UP_TO_HIGH = (Effort.LOW, Effort.MEDIUM, Effort.HIGH)
_WITH_MAX = (*_UP_TO_HIGH, Effort.MAX)
_ALL = (*_UP_TO_HIGH, Effort.XHIGH, Effort.MAX)

_NEWEST = Traits(Thinking.ADAPTIVE, _ALL, sampling=False)
_PROTOCOL_ONLY = Traits(Thinking.BUDGET)

# By lowest version, newest first; the first that matches counts.
_BY_VERSION: tuple[tuple[tuple[int, int], frozenset[str], Traits], ...] = (
    ((4, 7), frozenset(), _NEWEST),
    ((4, 6), frozenset(), Traits(Thinking.ADAPTIVE, _WITH_MAX)),
    ((4, 5), frozenset({"opus"}), Traits(Thinking.BUDGET, _UP_TO_HIGH, interleaves_on_request=True)),
    ((4, 0), frozenset(), Traits(Thinking.BUDGET, interleaves_on_request=True)),
    ((3, 7), frozenset(), Traits(Thinking.BUDGET)),
    ((0, 0), frozenset(), Traits(Thinking.NEVER)),
)

_FAMILY_FIRST = re.compile(r"claude-([a-z]+)-(\d{1,2})(?:[-.](\d{1,2}))?(?![\d])")
_VERSION_FIRST = re.compile(r"claude-(\d{1,2})(?:[-.](\d{1,2}))?(?:-([a-z]+))?")


def traits_of(model: str) -> Traits:
    """What the model of this name takes; one of a name without a version is taken for the newest."""
    name = model.lower()
    if "claude" not in name:
        return _PROTOCOL_ONLY
    if found := _FAMILY_FIRST.search(name):
        family, major, minor = found[1], int(found[2]), int(found[3] or 0)
    elif found := _VERSION_FIRST.search(name):
        family, major, minor = found[3] or "", int(found[1]), int(found[2] or 0)
    elif "claude-v" in name or "claude-instant" in name:
        return Traits(Thinking.NEVER)
    else:
        return _NEWEST
    return next(
        traits
        for lowest, families, traits in _BY_VERSION
        if (major, minor) >= lowest and (not families or family in families)
    )
