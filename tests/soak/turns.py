"""Random turns: what the model is to say in each step of one, and what goes wrong on the way. Pure.

The words of a step name it, so that a word in the wrong place tells where it comes from.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from activities.providers.demo import script_block

StepScript = dict[str, Any]
FaultScript = dict[str, Any]

TRANSIENT = (
    "rate_limit",
    "server_error",
    "overloaded",
    "error_event",
    "drop",
    "cut",
    "bad_frame",
    "slow_first",
    "stall",
    "silence",
)
PERMANENT = (400, 401)

CLIENT_TOOL = "their_tool"
"""Declared by every chat, and answered by its person."""

EFFECTS = "effects"
"""The file to which commands add a line each."""

ONCE = ("once", "alone", "last", "guarded")
"""Tools of `tests.durable.side_effects` that may not run twice: one as usual, one that must be called alone,
one whose success ends the turn, and one that needs approval."""

TOO_LONG = {"kind": "status", "status": 400, "message": "prompt is too long: 200001 tokens > 200000 maximum"}

_STATUSES = {"rate_limit": 429, "server_error": 500, "overloaded": 529}
_ZONES = ("UTC", "Europe/Oslo", "Asia/Tokyo", "America/Argentina/Buenos_Aires", "Atlantis/Capital")


@dataclass(frozen=True)
class Turn:
    """A message and all that is to be answered to it.

    Attributes:
        tag: stands in the message and in no other.
        steps: the model's script, step by step.
        faults: their kinds, for counting.
        doomed: one of its steps meets an error that is not tried again, or that not every chat gets over.
        may_end_early: its last step is not asked for where a tool has ended the turn.
        stalls: holds that somebody has to release, or the model stays silent for good.
    """

    tag: str
    steps: tuple[StepScript, ...]
    faults: tuple[str, ...] = ()
    doomed: bool = False
    stalls: tuple[str, ...] = ()
    may_end_early: bool = False

    @property
    def message(self) -> str:
        return f"{script_block(*self.steps)} {self.tag}"

    @property
    def texts(self) -> list[str]:
        return [str(step.get("text", "")) for step in self.steps]


def plain_turn(tag: str) -> Turn:
    """A turn in which nothing happens."""
    return Turn(tag, ({"text": f"{tag} is answered"},))


def random_turn(rng: Random, tag: str) -> Turn:
    """A turn of up to three steps with tools and a last one without, each with luck of its own."""
    tools = rng.choices((0, 1, 2, 3), (45, 30, 15, 10))[0]
    steps = [_step(rng, f"{tag}.{number}", with_tools=number <= tools) for number in range(1, tools + 2)]
    faults: list[str] = []
    stalls: list[str] = []
    for number, step in enumerate(steps, 1):
        kinds = rng.sample(TRANSIENT, rng.choices((0, 1, 2), (80, 15, 5))[0])
        if kinds:
            faults += kinds
            step["fault"] = [_fault(rng, kind, step, f"{tag}.{number}") for kind in kinds]
            stalls += [f"{tag}.{number}" for kind in kinds if kind == "stall"]
    doomed = rng.random() < 0.06
    if doomed:
        status = rng.choice(PERMANENT)
        step = rng.choice(steps)
        step["fault"] = [*step.get("fault", []), {"kind": "status", "status": status}]
        faults.append(f"status_{status}")
    elif rng.random() < 0.05:
        doomed = True  # there may be nothing to summarize
        steps[0]["fault"] = [TOO_LONG, *steps[0].get("fault", [])]
        faults.append("too_long")
    ends_early = tools > 0 and rng.random() < 0.15
    if ends_early:
        steps[-2]["tools"].append(_effect("last", f"{tag}.{tools}c9"))
    return Turn(tag, tuple(steps), tuple(faults), doomed, tuple(stalls), ends_early)


def _step(rng: Random, name: str, *, with_tools: bool) -> StepScript:
    words = rng.choices((rng.randint(1, 12), rng.randint(20, 80), rng.randint(300, 800)), (60, 30, 10))[0]
    step: StepScript = {"text": " ".join([name, *(f"{name}w{number}" for number in range(words))])}
    if with_tools and rng.random() < 0.3:
        step["text"] = ""  # calls a tool without a word
    else:
        step["pieces"] = min(words + 1, 120)
        step["every_seconds"] = round(rng.uniform(0.0, 2.5) / step["pieces"], 4)
    if rng.random() < 0.3:
        step["thinking"] = " ".join(f"{name}t{number}" for number in range(rng.randint(3, 30)))
    if rng.random() < 0.3:
        step["first_after_seconds"] = round(rng.uniform(0.0, 0.6), 3)
    if with_tools:
        calls = rng.choices((1, 2, 3), (60, 25, 15))[0]
        step["tools"] = [_call(rng, f"{name}c{number}") for number in range(calls)]
    return step


def _call(rng: Random, name: str) -> dict[str, Any]:
    kind = rng.choices(
        ("clock", "command", "client", "none", "once", "again", "alone", "guarded"),
        (48, 10, 14, 4, 8, 5, 5, 6),
    )[0]
    match kind:
        case "once" | "again" | "alone" | "guarded":
            return _effect(kind, name)
        case "none":
            return {"name": "no_such_tool", "input": {}}
        case "command":
            return {"name": "execute", "input": {"command": f"echo {name} >> {EFFECTS}"}}
        case "client":
            return {"name": CLIENT_TOOL, "input": {"call": name}}
        case _:
            pass
    return {"name": "current_time", "input": {"timezone": rng.choice(_ZONES)}}


def _effect(tool: str, name: str) -> dict[str, Any]:
    """A call of a tool that writes what it does for this word."""
    return {"name": tool, "input": {"word": f"{name}-{tool}", "waits": False}}


def _fault(rng: Random, kind: str, step: StepScript, name: str) -> FaultScript:
    if kind in _STATUSES:
        headers = {"retry-after": "1"} if rng.random() < 0.5 else {}
        return {"kind": "status", "status": _STATUSES[kind], "headers": headers}
    if kind == "slow_first":
        return {"kind": kind, "seconds": round(rng.uniform(0.3, 1.5), 2)}
    place = {"after_pieces": rng.randint(0, 8), "of": rng.choice(_kinds_of_pieces(step))}
    match kind:
        case "stall":
            return {"kind": "stall", "name": name, **place}
        case "silence":  # until the guard gives up
            return {"kind": "stall", **place}
        case _:
            return {"kind": kind, **place}


def _kinds_of_pieces(step: StepScript) -> list[str]:
    named = {"text": "text", "thinking": "thinking", "tools": "tool_input"}
    return [kind for field, kind in named.items() if step.get(field)]
