"""A narrow way, and questions asked once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from api import gate
from api.errors import ApiError
from api.gate import Gate
from api.single_flight import SingleFlight


@asynccontextmanager
async def inside(narrow: Gate) -> AsyncGenerator[None]:
    """A place taken by somebody else for the block."""
    entered, leave = asyncio.Event(), asyncio.Event()

    async def stay() -> None:
        async with narrow.passing():
            entered.set()
            await leave.wait()

    task = asyncio.create_task(stay())
    await entered.wait()
    yield
    leave.set()
    await task


async def test_so_many_are_inside_at_a_time_and_all_come_in_their_order():
    narrow = Gate(2)
    order: list[int] = []
    now = most = 0

    async def pass_through(number: int) -> None:
        nonlocal now, most
        async with narrow.passing():
            now, most = now + 1, max(most, now + 1)
            order.append(number)
            await asyncio.sleep(0)
            now -= 1

    await asyncio.gather(*[pass_through(number) for number in range(20)])
    assert most == 2
    assert order == list(range(20))


async def test_who_waits_too_long_is_told_when_to_come_again_and_takes_no_place(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(gate, "PATIENCE_SECONDS", 0.01)
    narrow = Gate(1)
    async with inside(narrow):
        with pytest.raises(ApiError) as turned_away:
            async with narrow.passing():
                raise AssertionError("there is somebody inside")
    assert (turned_away.value.status, turned_away.value.headers) == (503, {"Retry-After": "2"})
    async with narrow.passing():
        pass


class Oracle:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self.answers: list[str | None | Exception] = []

    async def answer(self) -> str | None:
        answer = self.answers[self.asked]
        self.asked += 1
        await self.go.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_question_is_asked_once_and_goes_on_when_the_first_who_asked_is_gone():
    oracle = Oracle()
    oracle.answers = ["42"]
    flights: SingleFlight[str, str | None] = SingleFlight()
    asking = [asyncio.create_task(flights.ask("why", oracle.answer)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    oracle.go.set()
    assert await asyncio.gather(*asking[1:]) == ["42"] * 4
    assert oracle.asked == 1
    assert asking[0].cancelled()


async def test_an_answer_is_kept_for_a_moment_and_failures_and_nothing_are_not():
    oracle = Oracle()
    oracle.go.set()
    oracle.answers = [RuntimeError("not now"), None, "42"]
    flights: SingleFlight[str, str | None] = SingleFlight(keep_seconds=3600)
    with pytest.raises(RuntimeError, match="not now"):
        await flights.ask("why", oracle.answer)
    assert await flights.ask("why", oracle.answer) is None
    assert [await flights.ask("why", oracle.answer) for _ in range(3)] == ["42"] * 3
    assert oracle.asked == 3


async def test_an_answer_that_is_not_kept_is_asked_for_again():
    oracle = Oracle()
    oracle.go.set()
    oracle.answers = ["one", "two"]
    flights: SingleFlight[str, str | None] = SingleFlight()
    assert [await flights.ask("why", oracle.answer) for _ in range(2)] == ["one", "two"]
