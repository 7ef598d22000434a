"""How hard a model is to think (spec chat-loop.md 3.4). Pure."""

from enum import StrEnum


class Effort(StrEnum):
    """The scale, in order."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"

    @property
    def rank(self) -> int:
        """Position on the scale, from 0."""
        return _SCALE.index(self)


_SCALE = tuple(Effort)


def known_effort(written: str | None) -> Effort | None:
    """An effort by its name; None for one that is not on the scale."""
    return Effort(written) if written in _SCALE else None


def efforts_up_to(most: Effort) -> tuple[Effort, ...]:
    """What may be chosen of a model that goes this far, in order."""
    return _SCALE[: most.rank + 1]
