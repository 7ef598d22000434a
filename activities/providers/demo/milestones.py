"""Counters that can be awaited, and the holds made of them."""

import asyncio

MAX_HOLDS = 1000


class Milestone:
    """A count that only grows, and that others can wait for."""

    def __init__(self) -> None:
        self.count = 0
        self._passed = asyncio.Event()

    def pass_by(self) -> None:
        self.count += 1
        # A fresh event for the next wait: everybody who waits now is woken exactly once.
        self._passed.set()
        self._passed = asyncio.Event()

    async def reached(self, times: int = 1) -> None:
        """Wait until the count is at least `times`."""
        while self.count < times:
            await self._passed.wait()


class Hold:
    """A place where streams wait. Each arrival counts; a release opens it for good, also in advance."""

    def __init__(self) -> None:
        self.arrivals = Milestone()
        self.waiting = 0
        self._open = asyncio.Event()

    def release(self) -> None:
        self._open.set()

    async def wait(self) -> None:
        """Arrive, and wait until released."""
        self.arrivals.pass_by()
        self.waiting += 1
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1


class Holds:
    """The holds by name, made when first spoken of; bounded by dropping the oldest where nobody stands."""

    def __init__(self) -> None:
        self._holds: dict[str, Hold] = {}

    def __getitem__(self, name: str) -> Hold:
        hold = self._holds.get(name)
        if hold is None:
            hold = self._holds[name] = Hold()
            self._drop_old()
        return hold

    def clear(self) -> None:
        """Forget them all; whoever stands at one goes on."""
        for hold in self._holds.values():
            hold.release()
        self._holds.clear()

    def _drop_old(self) -> None:
        if len(self._holds) > MAX_HOLDS:
            idle = [name for name, hold in self._holds.items() if not hold.waiting]
            for name in idle[: len(self._holds) - MAX_HOLDS]:
                del self._holds[name]
