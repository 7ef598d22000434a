"""What the demonstration claims, as data: each claim with the evidence for or against it."""

from collections.abc import Sequence
from dataclasses import dataclass, field


class NotSeen(Exception):
    """Something that had to happen did not."""


@dataclass(frozen=True, slots=True)
class Check:
    """A claim.

    Attributes:
        claim: In words.
        holds: Whether it is true.
        found: What was found.
    """

    claim: str
    holds: bool
    found: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long something took.

    Attributes:
        what: In words.
        seconds: It took so long.
        aim_seconds: It should take less than this; None where there is no aim.
    """

    what: str
    seconds: float
    aim_seconds: float | None = None


@dataclass
class Findings:
    """What has been checked and measured so far."""

    checks: list[Check] = field(default_factory=list[Check])
    timings: list[Timing] = field(default_factory=list[Timing])

    def check(self, claim: str, holds: bool, found: str = "") -> None:
        self.checks.append(Check(claim, holds, found))

    def same(self, claim: str, *values: object) -> None:
        """Claim that all of these are equal."""
        first, *others = values
        differing = [value for value in others if value != first]
        self.check(claim, not differing, f"{first!r} and {differing[0]!r}" if differing else "")

    def time(self, what: str, seconds: float, aim_seconds: float | None = None) -> None:
        self.timings.append(Timing(what, seconds, aim_seconds))

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.holds]


def duration(seconds: float) -> str:
    """`12 ms` or `3.4 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def timing_lines(timings: Sequence[Timing]) -> list[str]:
    """Timings as lines of a table."""
    return [
        f"{duration(timing.seconds):>8}  {timing.what}"
        + (f" (aim: under {duration(timing.aim_seconds)})" if timing.aim_seconds else "")
        for timing in timings
    ]
