"""How fast an interrupt stops a turn, and how fast a turn goes on when its worker is killed.

    python -m benchmarks.faults --interrupts 20 --kills 3

Baseline of the same run: a request that only reads the chat, because an interrupt can hardly be faster than
asking for anything at all.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from activities.providers.demo import script_block
from benchmarks.chatting import Chatter
from cli.stack import Stack, StackOptions
from cli.stack.catalog import PORTS

LONG = script_block(
    {"text": " ".join(f"word{n:03}" for n in range(600)), "pieces": 600, "every_seconds": 0.01}
)


def _median_ms(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1000:7.1f} ms (worst {max(seconds) * 1000:.0f})"


async def interrupts(stack: Stack, count: int, *, live: bool) -> None:
    """Interrupt a turn in mid-answer, again and again.

    Args:
        live: whether Redis is there; without it, parts cannot be awaited, only the rows.
    """
    stopped: list[float] = []
    kept: list[float] = []
    reads: list[float] = []
    chatter = Chatter(stack)
    await chatter.open(script_block({"text": "ready"}))
    for number in range(count):
        await chatter.say(f"{LONG}\n{number}")
        if live:
            await chatter.until_parts(5)
        else:
            await chatter.until_running()
        began = time.perf_counter()
        await chatter.look()
        reads.append(time.perf_counter() - began)
        interrupted = await chatter.interrupt()
        stopped.append(interrupted.last_part_seconds)
        kept.append(interrupted.kept_seconds)
    await chatter.close()
    where = "" if live else ", Redis away"
    print(f"\n{count} interrupts{where}")
    print(f"  reading the chat (baseline)          {_median_ms(reads)}")
    if live:
        print(f"  POST to the last part on the stream  {_median_ms(stopped)}")
    ratio = statistics.median(kept) / statistics.median(reads)
    print(f"  POST to the committed partial answer {_median_ms(kept)}   x{ratio:.1f} of reading")


async def kills(stack: Stack, count: int) -> None:
    """Kill the worker in mid-answer; another one is started at once, as a supervisor would."""
    seconds: list[float] = []
    chatter = Chatter(stack)
    await chatter.open(script_block({"text": "ready"}))
    for number in range(count):
        await chatter.say(f"{LONG}\nkill {number}")
        await chatter.until_parts(5)
        await stack.kill("worker")
        began = time.perf_counter()
        starting = asyncio.create_task(stack.start("worker"))
        await chatter.until_new_episode()
        seconds.append(time.perf_counter() - began)
        await starting
        await chatter.interrupt()
    await chatter.close()
    print(f"\n{count} workers killed in mid-stream, each started again at once")
    print(f"  SIGKILL to the first new part        {_median_ms(seconds)}")


async def main(interrupt_count: int, kill_count: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        ports = {name: 0 for names in PORTS.values() for name in names}
        async with Stack(StackOptions(data_dir=Path(directory) / "faults", ports=ports)) as stack:
            await interrupts(stack, interrupt_count, live=True)
            await kills(stack, kill_count)
            await stack.stop("valkey")
            await interrupts(stack, max(3, interrupt_count // 4), live=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How fast interrupts and recoveries are.")
    parser.add_argument("--interrupts", type=int, default=20, help="turns to interrupt (20)")
    parser.add_argument("--kills", type=int, default=3, help="workers to kill (3)")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.interrupts, arguments.kills))
