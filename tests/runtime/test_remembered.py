"""Remembered values: one fetch for all, never older than the last change."""

import asyncio
from collections.abc import Callable

import pytest

from runtime.configuration.remembered import Remembered


class Source:
    """Counts fetches, and lets the test say when each ends."""

    def __init__(self) -> None:
        self.fetches = 0
        self.value: str | None = "first"
        self.gate: asyncio.Event | None = None
        self.now = 0.0

    async def fetch(self, key: str) -> str | None:
        self.fetches += 1
        value = self.value
        if self.gate is not None:
            await self.gate.wait()
        if value == "error":
            raise OSError("away")
        return value

    def remembered(self, *, most: int = 10) -> Remembered[str, str | None]:
        return Remembered(self.fetch, seconds=10, most=most, clock=lambda: self.now)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a turn of the loop each
            await asyncio.sleep(0)


async def test_many_who_ask_at_once_cost_one_fetch():
    source = Source()
    known = source.remembered()
    assert set(await asyncio.gather(*(known.get("a") for _ in range(50)))) == {"first"}
    await known.get("a")
    assert source.fetches == 1


async def test_a_value_is_fetched_again_when_it_is_too_old():
    source = Source()
    known = source.remembered()
    await known.get("a")
    source.now, source.value = 9.9, "second"
    assert await known.get("a") == "first"
    source.now = 10.0
    assert await known.get("a") == "second"


async def test_that_there_is_nothing_is_remembered_too():
    source = Source()
    source.value = None
    known = source.remembered()
    for _ in range(5):
        assert await known.get("a") is None
    assert source.fetches == 1


async def test_a_change_during_a_fetch_is_not_overwritten_by_what_it_brings():
    source = Source()
    known = source.remembered()
    source.gate = gate = asyncio.Event()
    early = asyncio.create_task(known.get("a"))
    await until(lambda: source.fetches == 1)
    source.value, source.gate = "second", None
    known.drop("a")
    assert await known.get("a") == "second", "who asks after the change does not wait for the old fetch"
    gate.set()
    assert await early == "first", "who asked before it may have the older one"
    assert await known.get("a") == "second"
    assert source.fetches == 2


async def test_forgetting_everything_forgets_fetches_too():
    source = Source()
    known = source.remembered()
    source.gate = gate = asyncio.Event()
    early = asyncio.create_task(known.get("a"))
    await until(lambda: source.fetches == 1)
    source.value, source.gate = "second", None
    known.drop_all()
    gate.set()
    await early
    assert await known.get("a") == "second"


async def test_a_failure_reaches_all_who_wait_and_is_not_remembered():
    source = Source()
    source.value = "error"
    known = source.remembered()
    failed = await asyncio.gather(*(known.get("a") for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [OSError] * 3
    assert source.fetches == 1
    source.value = "back"
    assert await known.get("a") == "back"


async def test_one_who_leaves_does_not_take_the_fetch_from_the_others():
    source = Source()
    known = source.remembered()
    source.gate = gate = asyncio.Event()
    leaver, stayer = (asyncio.create_task(known.get("a")) for _ in range(2))
    await until(lambda: source.fetches == 1)
    leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    gate.set()
    assert await stayer == "first"
    assert source.fetches == 1


async def test_the_least_used_is_forgotten_first():
    source = Source()
    known = source.remembered(most=2)
    for key in ("a", "b", "a", "c"):
        await known.get(key)
    before = source.fetches
    await known.get("a")
    assert source.fetches == before
    await known.get("b")
    assert source.fetches == before + 1
