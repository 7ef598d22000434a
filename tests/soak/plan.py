"""What will be done to a chat, to its readers and to the servers. Pure: the same seed, the same plan.

A plan has no end: as much of it is carried out as there is time for. How the parts of a plan meet depends on
the machine, so a failure may need more than one run to come again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.soak.turns import Turn, random_turn

Busy = Literal["queue", "interrupt", "steer"]
Part = Literal["postgres", "valkey", "temporal", "worker", "other-worker", "api"]
BUSY: tuple[Busy, ...] = ("queue", "interrupt", "steer")
Deed = Literal["kill", "stop", "freeze"]


@dataclass(frozen=True)
class Say:
    """Send a message.

    Attributes:
        together: how many requests with one key are sent at the same time.
        insist: repeat it under its key until it is clear what became of it; else an unclear answer stays one.
        again: repeat it once more after it was accepted.
    """

    turn: Turn
    busy: Busy = "queue"
    together: int = 1
    insist: bool = True
    again: bool = False


@dataclass(frozen=True)
class Interrupt:
    """Stop the running turn, if there is one."""


@dataclass(frozen=True)
class Archive:
    """Archive the chat if it rests, send what must be refused then, and unarchive it."""

    turn: Turn


@dataclass(frozen=True)
class Edit:
    """Replace one of the newest messages of the user; what came after it is cut off.

    Attributes:
        back: how many newer ones of the user's there are, if there are so many.
    """

    turn: Turn
    back: int


@dataclass(frozen=True)
class Promote:
    """Take the message at this place of the queue next, if there is one."""

    place: int


@dataclass(frozen=True)
class Drop:
    """Delete the message at this place of the queue, if there is one."""

    place: int


@dataclass(frozen=True)
class Forget:
    """Have the conversation summarized, or leave it behind, if the chat rests."""

    how: Literal["compact", "clear"]


@dataclass(frozen=True)
class WaitForRest:
    """Let the chat come to rest before going on."""


Action = Say | Interrupt | Archive | Edit | Promote | Drop | Forget | WaitForRest


@dataclass(frozen=True)
class Planned:
    """An action, and the pause before it."""

    after_seconds: float
    action: Action


@dataclass(frozen=True)
class ChatPlan:
    """One chat's life."""

    name: str
    first: Turn
    actions: tuple[Planned, ...]
    readers: int


@dataclass(frozen=True)
class Stay:
    """One visit of a reader.

    Attributes:
        fresh: it has forgotten everything it was told; else it resumes where it was.
    """

    away_seconds: float
    seconds: float
    fresh: bool


@dataclass(frozen=True)
class Strike:
    part: Part
    deed: Deed


@dataclass(frozen=True)
class Disturbance:
    """Parts that go away together, and come back after a while."""

    after_seconds: float
    strikes: tuple[Strike, ...]
    away_seconds: float


_STRIKES: tuple[tuple[Strike, int], ...] = (
    (Strike("worker", "kill"), 6),
    (Strike("worker", "stop"), 3),
    (Strike("worker", "freeze"), 3),
    (Strike("other-worker", "kill"), 4),
    (Strike("other-worker", "stop"), 2),
    (Strike("other-worker", "freeze"), 2),
    (Strike("api", "kill"), 4),
    (Strike("api", "stop"), 1),
    (Strike("api", "freeze"), 2),
    (Strike("valkey", "kill"), 3),
    (Strike("valkey", "stop"), 1),
    (Strike("valkey", "freeze"), 2),
    (Strike("temporal", "kill"), 2),
    (Strike("temporal", "stop"), 1),
    (Strike("temporal", "freeze"), 2),
    (Strike("postgres", "kill"), 1),
    (Strike("postgres", "freeze"), 2),
)


def chat_plan(seed: int, lane: int, number: int) -> ChatPlan:
    """The life of the n-th chat of a lane; lanes go on at the same time."""
    name = f"s{seed}-{lane}-{number}"
    rng = Random(name)
    actions = [
        Planned(round(rng.expovariate(1.5), 3), _action(rng, f"{name}-m{place}"))
        for place in range(2, 2 + rng.randint(6, 14))
    ]
    return ChatPlan(name, random_turn(rng, f"{name}-m1"), tuple(actions), rng.randint(2, 3))


def reader_plan(name: str) -> Iterator[Stay]:
    """The visits of one reader, without end."""
    rng = Random(name)
    while True:
        away = rng.choice((0.0, rng.uniform(0.0, 0.3), rng.uniform(0.3, 2.0)))
        yield Stay(away, rng.choice((rng.uniform(0.02, 0.5), rng.expovariate(0.4))), rng.random() < 0.1)


def chaos_plan(seed: int) -> Iterator[Disturbance]:
    """The disturbances of a run, without end. Every kind comes once before any comes again at random."""
    rng = Random(f"chaos {seed}")
    strikes, weights = zip(*_STRIKES, strict=True)
    first = rng.sample(strikes, len(strikes))
    while True:
        chosen = {strike.part: strike for strike in ([first.pop()] if first else [])}
        if not chosen or rng.random() < 0.2:
            more = rng.choices(strikes, weights)[0]
            chosen.setdefault(more.part, more)
        yield Disturbance(
            round(rng.uniform(0.3, 4.0), 2), tuple(chosen.values()), round(rng.uniform(0.0, 2.0), 2)
        )


_ACTIONS = {
    "say": 52,
    "interrupt": 12,
    "archive": 6,
    "rest": 15,
    "edit": 7,
    "promote": 3,
    "drop": 2,
    "compact": 2,
    "clear": 1,
}
"""Kinds of actions, and how often they come."""


def _action(rng: Random, tag: str) -> Action:
    match rng.choices(tuple(_ACTIONS), tuple(_ACTIONS.values()))[0]:
        case "say":
            return Say(
                random_turn(rng, tag),
                busy=rng.choices(BUSY, (60, 22, 18))[0],
                together=rng.choices((1, 2, 4), (75, 15, 10))[0],
                insist=rng.random() < 0.85,
                again=rng.random() < 0.2,
            )
        case "interrupt":
            return Interrupt()
        case "archive":
            return Archive(random_turn(rng, tag))
        case "edit":
            return Edit(random_turn(rng, tag), rng.choices((0, 1, 3), (60, 30, 10))[0])
        case "promote":
            return Promote(rng.randint(0, 3))
        case "drop":
            return Drop(rng.randint(0, 3))
        case "compact" | "clear" as how:
            return Forget(how)
        case _:
            return WaitForRest()
