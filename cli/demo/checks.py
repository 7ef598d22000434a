"""What is claimed and what is measured, as data."""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass


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


def same(claim: str, expected: object, found: object) -> Check:
    """The claim that two things are equal. If they are not, both are shown."""
    if found == expected:
        return Check(claim, holds=True)
    return Check(claim, holds=False, found=f"{_brief(found)} instead of {_brief(expected)}")


def check_lines(checks: Sequence[Check]) -> list[str]:
    """Checks as lines of a list."""
    return [
        f"{'✓' if check.holds else '✗ NOT TRUE:'} {check.claim}{f' ({check.found})' if check.found else ''}"
        for check in checks
    ]


def timing_lines(timings: Sequence[Timing]) -> list[str]:
    """Timings as lines of a table."""
    lines = [f"{_duration(timing.seconds):>8}  {timing.what}" for timing in timings]
    aims = [f" (aim: {_duration(timing.aim_seconds)})" if timing.aim_seconds else "" for timing in timings]
    return [line + aim for line, aim in zip(lines, aims, strict=True)]


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _brief(value: object) -> str:
    shortener = reprlib.Repr()
    shortener.maxstring = shortener.maxother = 120
    return shortener.repr(value)
