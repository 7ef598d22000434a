"""What was done to one chat, as the one who did it knows it."""

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

import httpx2

from tests.soak.turns import Turn


class Fate(StrEnum):
    """What a client knows of its message."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass
class Sent:
    """One message, however often it was sent.

    Attributes:
        began: when it was first sent.
        answered: when it was first known to be accepted.
        queue_place: its id in the queue, if it had to wait there.
        unclear: one of its requests had no answer, or one that says nothing of its fate.
        may_be_cut: an edit came after it, or somebody deleted it from the queue.
        jumped: it was promoted, so its place says nothing.
        steers: it may join the running turn, before what waits.
    """

    turn: Turn
    began: float
    fate: Fate = Fate.UNKNOWN
    answered: float | None = None
    queue_place: int | None = None
    answer: object = None
    unclear: bool = False
    may_be_cut: bool = False
    jumped: bool = False
    steers: bool = False


@dataclass
class Journal:
    """A chat's actions and their answers.

    Attributes:
        stops: interrupts, alone, with a message or by a promotion, that were accepted or may have been.
        cuts: messages that an edit replaced, or may have.
        results: posts of results of client tools, and of approvals, that were accepted, or may have been.
        denied: calls that a person has denied, and was told so.
        wrongs: what no answer should ever have been.
    """

    name: str
    counts: Counter[str]
    chat: str = ""
    sent: list[Sent] = field(default_factory=list[Sent])
    stops: int = 0
    cuts: list[int] = field(default_factory=list[int])
    results: Counter[Fate] = field(default_factory=Counter[Fate])
    denied: set[str] = field(default_factory=set[str])
    wrongs: list[str] = field(default_factory=list[str])
    lines: list[str] = field(default_factory=list[str])

    def note(self, line: str) -> None:
        self.lines.append(f"{time.strftime('%H:%M:%S')}.{time.time() % 1 * 1000:03.0f} {line}")

    def count(self, what: str, times: int = 1) -> None:
        self.counts[what] += times

    def begin(self, turn: Turn) -> Sent:
        sent = Sent(turn, time.monotonic())
        self.sent.append(sent)
        for fault in turn.faults:
            self.count(f"fault planned: {fault}")
        return sent


def fate_of(answer: httpx2.Response | None) -> Fate:
    """What one answer says of a message; None: the connection ended without one."""
    if answer is None:
        return Fate.UNKNOWN
    if answer.is_success:
        return Fate.ACCEPTED
    if answer.status_code < 500 or "It was not added to the chat" in answer.text:
        return Fate.REFUSED
    return Fate.UNKNOWN
