"""The clock of the model."""

from datetime import UTC, datetime

import pytest
from pydantic import JsonValue

from activities.tools.current_time import current_time
from activities.tools.outcome import ToolOutcome
from activities.tools.registry import ToolRegistry
from tests.activities.tools.calling import called

SUNDAY_NIGHT = datetime(2026, 3, 1, 23, 30, 15, 999, tzinfo=UTC)
REGISTRY = ToolRegistry([current_time(lambda: SUNDAY_NIGHT)])


async def test_utc_when_nothing_is_asked() -> None:
    told: JsonValue = {"time": "2026-03-01T23:30:15+00:00", "timezone": "UTC", "weekday": "Sunday"}
    assert await called(REGISTRY, "current_time", {}) == ToolOutcome(told)


async def test_the_time_of_another_place_with_its_own_day() -> None:
    told: JsonValue = {"time": "2026-03-02T08:30:15+09:00", "timezone": "Asia/Tokyo", "weekday": "Monday"}
    assert await called(REGISTRY, "current_time", {"timezone": "Asia/Tokyo"}) == ToolOutcome(told)


@pytest.mark.parametrize("name", ["Mars/Base", "", "../etc/passwd", "Europe", "a\0b"])
async def test_an_unknown_zone_is_named_and_an_example_given(name: str) -> None:
    outcome = await called(REGISTRY, "current_time", {"timezone": name})
    assert outcome.is_error
    assert str(outcome.result).startswith(f"There is no time zone named {name!r}. Give an IANA name")


async def test_the_present_is_told_when_no_clock_is_given() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    outcome = await called(ToolRegistry([current_time()]), "current_time", None)
    assert isinstance(outcome.result, dict)
    assert before <= datetime.fromisoformat(str(outcome.result["time"])) <= datetime.now(UTC)


def test_it_is_safe_to_repeat() -> None:
    tool = REGISTRY.find("current_time")
    assert tool
    assert tool.repeatable
