"""One answer for all who ask the same at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Questions, each asked once however many want to know.

    A question goes on when those who asked are gone: others may have joined them. A failure is everybody's
    who waited for it, and nobody's who comes later.

    Args:
        keep_seconds: For how long those who come later get the same answer; None as an answer is not kept.
    """

    def __init__(self, *, keep_seconds: float = 0.0) -> None:
        self._keep_seconds = keep_seconds
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def ask(self, key: K, question: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The answer to `question`, or to one of the same key that is on its way."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(question())
            flight.add_done_callback(partial(self._landed, key))
        return await asyncio.shield(flight)

    def _landed(self, key: K, flight: asyncio.Task[V]) -> None:
        failed = flight.cancelled() or flight.exception() is not None
        if failed or flight.result() is None or not self._keep_seconds:
            self._flights.pop(key, None)
        else:
            flight.get_loop().call_later(self._keep_seconds, self._flights.pop, key, None)
