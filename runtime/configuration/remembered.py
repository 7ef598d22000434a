"""Values remembered for a while, each fetched once however many ask for it.

The generation rule: a fetch may be under way while its value is changed and dropped. What it brings is
older than the change, so it is given to those who asked before, and not kept. Nothing counts here: a fetch
keeps its value only while it is the one that its key waits for, and dropping a key forgets the fetch.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Known(Generic[V]):
    value: V
    until: float


class Remembered(Generic[K, V]):
    """Values by key. None is a value like any other. Values are shared: they must not be changeable."""

    def __init__(
        self,
        fetch: Callable[[K], Awaitable[V]],
        *,
        seconds: float,
        most: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to remember.

        Args:
            fetch: brings the value of a key. What it raises is given to those who wait, and not kept.
            seconds: a value is fetched again when it is older.
            most: beyond so many keys those that were used least recently are forgotten.
        """
        self._fetch = fetch
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._known: OrderedDict[K, _Known[V]] = OrderedDict()
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """The value of a key, at most `seconds` old, and no older than the last `drop` of it."""
        known = self._known.get(key)
        if known is not None and known.until > self._clock():
            self._known.move_to_end(key)
            return known.value
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._fly(key))
            flight.add_done_callback(_heard)
        # one who leaves does not take the others' fetch away
        return await asyncio.shield(flight)

    def drop(self, key: K) -> None:
        """Forget a value, and what is being fetched for it now."""
        self._known.pop(key, None)
        self._flights.pop(key, None)

    def drop_all(self) -> None:
        """Forget everything, as after a time in which changes may have been missed."""
        self._known.clear()
        self._flights.clear()

    async def _fly(self, key: K) -> V:
        flight = asyncio.current_task()
        try:
            value = await self._fetch(key)
        except BaseException:
            self._land(key, flight)
            raise
        if self._land(key, flight):
            self._known[key] = _Known(value, self._clock() + self._seconds)
            self._known.move_to_end(key)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return value

    def _land(self, key: K, flight: "asyncio.Task[V] | None") -> bool:
        """Whether the key still waits for this fetch."""
        if self._flights.get(key) is not flight:
            return False
        del self._flights[key]
        return True


def _heard(flight: "asyncio.Task[Any]") -> None:
    """A failure that nobody is left to be told of is no mistake of the program."""
    if not flight.cancelled():
        flight.exception()
