"""Takes the servers away and brings them back, by plan."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

from cli.stack import PartFailed, Stack
from tests.durable.processes import ToolWorker
from tests.soak.plan import Disturbance, Part, Strike, chaos_plan

_IN_ORDER: tuple[Part, ...] = ("postgres", "valkey", "temporal", "worker", "other-worker", "api")
"""Each part is started when those it needs are there."""

_TRIES = 3


class Chaos:
    """What happens to the servers of a run.

    Args:
        workers: By name; they are no parts of the stack.
        say: Is told what is done.
    """

    def __init__(
        self,
        stack: Stack,
        workers: Mapping[str, ToolWorker],
        seed: int,
        counts: Counter[str],
        say: Callable[[str], None],
    ) -> None:
        self._stack = stack
        self._workers = workers
        self._seed = seed
        self._counts = counts
        self._say = say
        self._disturbing = asyncio.Lock()

    @asynccontextmanager
    async def calm(self) -> AsyncGenerator[None]:
        """Everything is up until the block ends."""
        async with self._disturbing:
            yield

    async def run(self, over: asyncio.Event) -> None:
        """Disturb until it is over. It is also when a part does not come back.

        Raises:
            PartFailed: that is what happened.
        """
        try:
            for disturbance in chaos_plan(self._seed):
                await asyncio.sleep(disturbance.after_seconds)
                async with self._disturbing:
                    if over.is_set():
                        return
                    await self._disturb(disturbance)
        finally:
            over.set()

    async def _disturb(self, disturbance: Disturbance) -> None:
        began = time.monotonic()
        strikes = {strike.part: strike for strike in disturbance.strikes}
        what = ", ".join(f"{strike.deed} {strike.part}" for strike in disturbance.strikes)
        self._say(f"{time.strftime('%H:%M:%S')} {what} for {disturbance.away_seconds} s")
        await asyncio.gather(*(self._strike(strike) for strike in disturbance.strikes))
        await asyncio.sleep(disturbance.away_seconds)
        for part in _IN_ORDER:
            if part in strikes:
                await self._bring_back(strikes[part])
        self._say(f"{time.strftime('%H:%M:%S')} back after {time.monotonic() - began:.1f} s")

    async def _strike(self, strike: Strike) -> None:
        self._counts[f"chaos: {strike.deed} {strike.part}"] += 1
        worker = self._workers.get(strike.part)
        match strike.deed:
            case "kill":
                await (worker.kill() if worker else self._stack.kill(strike.part))
            case "stop":
                if worker is None:
                    await self._stack.stop(strike.part)
                elif not worker.died:  # one that found no Temporal when it was started has given up
                    await worker.stop()
            case "freeze":
                worker.freeze() if worker else self._stack.freeze(strike.part)

    async def _bring_back(self, strike: Strike) -> None:
        worker = self._workers.get(strike.part)
        if strike.deed == "freeze":
            worker.thaw() if worker else self._stack.thaw(strike.part)
        elif worker:
            await worker.start()
        else:
            await self._start(strike.part)

    async def _start(self, part: Part) -> None:
        """Start a part. On a machine that is busy with this and more, one may need more than its time."""
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._stack.start(part)
            except PartFailed:
                self._counts[f"late: {part}"] += 1
                if attempt == _TRIES:
                    raise
