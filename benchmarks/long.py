"""What a chat costs when it has become long: its last turns against its first, and the last steps of one turn
against its first.

    python -m benchmarks.long
    python -m benchmarks.long --turns 100 --steps 60

The model answers at once. The history that it is sent grows all the same, and with it the reading of it; what
must not grow is anything else. Printed: medians of a window at each end, and their ratio; and beside it what
the demo model alone takes for a conversation of this length, which is no time of ours.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2

from activities.providers.demo import script_block
from benchmarks.chatting import Chatter
from benchmarks.processes import cpu_seconds
from cli.stack import Stack, StackOptions
from cli.stack.catalog import PORTS

_WINDOW = 10
_OURS = ("worker", "api", "postgres", "temporal", "valkey")


def report(what: str, unit: str, first: Sequence[float], last: Sequence[float]) -> None:
    """Print the medians of two windows and their ratio."""
    before, after = statistics.median(first), statistics.median(last)
    print(f"{what:<28} {before:7.1f} -> {after:7.1f} {unit}   x{after / before:.2f}")


async def long_chat(stack: Stack, turns: int) -> None:
    """Run a chat of so many turns, one after the other."""
    chatter = Chatter(stack)
    pids = {name: stack.pid(name) for name in _OURS}
    seconds: list[float] = []
    cpu: list[float] = []
    try:
        await chatter.open(f"{script_block({'text': 'hello'})} turn 1")
        for number in range(2, turns + 1):
            before = sum(cpu_seconds(pids).values())
            turn = await chatter.turn(f"{script_block({'text': f'answer {number}'})} turn {number}")
            seconds.append(turn.seconds * 1000)
            cpu.append((sum(cpu_seconds(pids).values()) - before) * 1000)
        said = [(one["role"], text_of(one)) for one in await chatter.history()]
    finally:
        await chatter.close()
    model = stack.environment["PERDURE_DEMO_MODEL_URL"]
    alone = [await model_alone(model, said[:length]) for length in (9, len(said) - 1)]
    print(f"\nturns 5 to {4 + _WINDOW} against the last {_WINDOW} of {turns}")
    report("  time of a turn", "ms", seconds[3 : 3 + _WINDOW], seconds[-_WINDOW:])
    report("  of it the model alone", "ms", *alone)
    report("  CPU of a turn", "ms", [_mean(cpu[3 : 3 + _WINDOW])], [_mean(cpu[-_WINDOW:])])


def text_of(message: dict[str, Any]) -> str:
    """The words of a message."""
    return "".join(part.get("text", "") for part in message["content"])


async def model_alone(url: str, said: Sequence[tuple[str, str]]) -> list[float]:
    """Milliseconds that the demo model takes to answer a conversation, asked by nobody but us."""
    messages = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in said]
    body = {"model": "perdure-demo", "max_tokens": 1000, "stream": True, "messages": messages}
    headers = {"x-api-key": "bench", "anthropic-version": "2023-06-01"}
    taken: list[float] = []
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as http:
        for _ in range(_WINDOW):
            began = time.perf_counter()
            answer = await http.post("/v1/messages", json=body)
            taken.append((time.perf_counter() - began) * 1000)
            answer.raise_for_status()
    return taken


async def long_turn(stack: Stack, steps: int) -> None:
    """Run a turn of so many steps, each of which calls a tool."""
    chatter = Chatter(stack)
    clock = {"name": "current_time", "input": {"timezone": "UTC"}}
    calling = [{"text": "", "tools": [clock]} for _ in range(steps - 1)]
    try:
        await chatter.open(f"{script_block(*calling, {'text': 'Done.'})} many steps")
        answered = await chatter.answered_at()
    finally:
        await chatter.close()
    between = [(b - a).total_seconds() * 1000 for a, b in zip(answered, answered[1:], strict=False)]
    print(f"\nsteps 5 to {4 + _WINDOW} against the last {_WINDOW} of {steps}")
    report("  time of a step and its tool", "ms", between[3 : 3 + _WINDOW], between[-_WINDOW:])


def _mean(values: Sequence[float]) -> float:
    return statistics.mean(values)


async def main(turns: int, steps: int) -> None:
    ports = {name: 0 for names in PORTS.values() for name in names}
    with tempfile.TemporaryDirectory() as directory:
        async with Stack(StackOptions(data_dir=Path(directory) / "long", ports=ports)) as stack:
            await long_chat(stack, turns)
            await long_turn(stack, steps)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a long chat costs.")
    parser.add_argument("--turns", type=int, default=500, help="turns of the one chat (500)")
    parser.add_argument("--steps", type=int, default=300, help="steps of the one turn (300)")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.turns, arguments.steps))
