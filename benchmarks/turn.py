"""What a turn costs: a scripted model answers each call in about 240 ms; the same call made with the bare SDK
is the baseline of the same run.

    make bench                          everything
    python -m benchmarks.turn --turns 20 --chats 1 20

Printed: added milliseconds per turn, turns per second, time to the first part, CPU of every process per turn,
idle memory of every process, and the seconds from `perdure up` to the first answer.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anthropic import AsyncAnthropic

from activities.providers.demo import script_block
from benchmarks.chatting import Chatter, Turn
from benchmarks.processes import cpu_seconds, memory_bytes
from cli.stack import Stack, StackOptions
from cli.stack.catalog import PORTS

SCRIPT = script_block(
    {
        "text": " ".join(f"word{n:02}" for n in range(20)),
        "pieces": 20,
        "first_after_seconds": 0.05,
        "every_seconds": 0.01,
    }
)
OURS = ("worker", "api", "postgres", "temporal", "valkey")


@dataclass
class Load:
    """One measured load: so many chats at once, each its turns one after the other."""

    chats: int
    turns: list[Turn] = field(default_factory=list[Turn])
    seconds: float = 0.0
    cpu: Mapping[str, float] = field(default_factory=dict[str, float])

    def report(self, baseline: float) -> None:
        added = statistics.median(turn.seconds for turn in self.turns) - baseline
        first = statistics.median(turn.first_part_seconds for turn in self.turns)
        per_second = len(self.turns) / self.seconds
        print(f"\n{self.chats} chat{'s' if self.chats > 1 else ''} at once, {len(self.turns)} turns")
        ratio = f"x{1 + added / baseline:.2f} of the bare call"
        print(f"  added per turn, median     {added * 1000:7.1f} ms   ({ratio})")
        print(f"  time to first part, median {first * 1000:7.1f} ms")
        print(f"  turns per second           {per_second:7.1f}")
        per_turn = {name: seconds / len(self.turns) * 1000 for name, seconds in self.cpu.items()}
        ours = sum(per_turn[name] for name in OURS)
        parts = ", ".join(f"{name} {per_turn[name]:.1f}" for name in per_turn)
        print(f"  CPU per turn               {ours:7.1f} ms   ({parts})")


async def bare_calls(url: str, calls: int, at_once: int) -> float:
    """Median seconds of the same model call without Perdure."""
    seconds: list[float] = []
    async with AsyncAnthropic(base_url=url, api_key="demo", max_retries=0) as client:

        async def call(number: int) -> None:
            began = time.perf_counter()
            stream = await client.messages.create(
                model="perdure-demo",
                max_tokens=1000,
                messages=[{"role": "user", "content": f"{SCRIPT}\nbare {number}"}],
                stream=True,
            )
            async for _ in stream:
                pass
            seconds.append(time.perf_counter() - began)

        await call(-1)
        seconds.clear()
        for start in range(0, calls, at_once):
            await asyncio.gather(*(call(start + n) for n in range(at_once)))
    return statistics.median(seconds)


async def measure(stack: Stack, chats: int, turns: int) -> Load:
    """Run the turns of so many chats, after one of each to warm up."""
    load = Load(chats)
    pids = {name: stack.pid(name) for name in (*OURS, "demo-model")}
    chatters = [Chatter(stack) for _ in range(chats)]
    try:
        await asyncio.gather(*(chatter.open(f"{SCRIPT}\nhello {n}") for n, chatter in enumerate(chatters)))
        before, began = cpu_seconds(pids), time.perf_counter()

        async def talk(number: int, chatter: Chatter) -> None:
            for turn in range(turns):
                load.turns.append(await chatter.turn(f"{SCRIPT}\nchat {number} turn {turn}"))

        await asyncio.gather(*(talk(n, chatter) for n, chatter in enumerate(chatters)))
        load.seconds = time.perf_counter() - began
        after = cpu_seconds(pids)
        load.cpu = {name: after[name] - before[name] for name in pids}
    finally:
        await asyncio.gather(*(chatter.close() for chatter in chatters))
    return load


def report_memory(stack: Stack) -> None:
    names = ("api", "worker", "temporal", "postgres", "valkey", "demo-model")
    used = {name: memory_bytes({name: stack.pid(name)}) / 1e6 for name in names}
    ours = sum(used.values()) - used["demo-model"]
    parts = ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in used.items())
    print(f"\nidle memory (PSS)            {ours:7.0f} MB   ({parts})")


async def first_answer(options: StackOptions) -> None:
    """Seconds from nothing to the first answer, with a new data directory."""
    began = time.perf_counter()
    async with Stack(options) as stack:
        ready = time.perf_counter() - began
        chatter = Chatter(stack)
        await chatter.open(f"{SCRIPT}\nfirst")
        seconds = time.perf_counter() - began
        print(f"up to the first answer       {seconds:7.1f} s    (ready after {ready:.1f} s)")
        await chatter.close()


async def main(chats: Sequence[int], turns: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        ports = {name: 0 for names in PORTS.values() for name in names}
        options = StackOptions(data_dir=Path(directory) / "first", ports=ports)
        await first_answer(options)
        unlimited = {**os.environ, "PERDURE_RATE_LIMIT_PER_MINUTE": "0"}
        options = StackOptions(data_dir=Path(directory) / "bench", ports=ports, environment=unlimited)
        async with Stack(options) as stack:
            await asyncio.sleep(3)  # let start-up work settle before memory is read
            report_memory(stack)
            demo = stack.environment["PERDURE_DEMO_MODEL_URL"]
            for number in chats:
                baseline = await bare_calls(demo, calls=max(10, number), at_once=number)
                print(f"\nbare SDK call, {number} at once      {baseline * 1000:7.1f} ms")
                (await measure(stack, number, turns)).report(baseline)
            report_memory(stack)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a turn costs.")
    parser.add_argument("--turns", type=int, default=20, help="turns per chat (20)")
    parser.add_argument(
        "--chats", type=int, nargs="+", default=[1, 20], help="numbers of chats at once (1 20)"
    )
    arguments = parser.parse_args()
    asyncio.run(main(arguments.chats, arguments.turns))
