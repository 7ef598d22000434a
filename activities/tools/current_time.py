"""The tool `current_time`: a model has no clock."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, JsonValue

from activities.tools.tool import Tool, ToolContext, ToolError


class CurrentTimeInput(BaseModel):
    """Where to look at the clock."""

    timezone: str = Field(
        default="UTC",
        max_length=100,
        description="IANA time zone, for example Europe/Berlin. UTC if not given.",
    )


def utc_now() -> datetime:
    return datetime.now(UTC)


def current_time(clock: Callable[[], datetime] = utc_now) -> Tool[CurrentTimeInput]:
    """The tool, with the clock it reads; that must tell aware times."""

    async def run(arguments: CurrentTimeInput, context: ToolContext) -> JsonValue:
        now = clock().astimezone(_zone(arguments.timezone))
        return {
            "time": now.isoformat(timespec="seconds"),
            "timezone": arguments.timezone,
            "weekday": now.strftime("%A"),
        }

    return Tool(
        name="current_time",
        description="Tell the current date, time and weekday in a time zone.",
        input_model=CurrentTimeInput,
        run=run,
        repeatable=True,
    )


def _zone(name: str) -> tzinfo:
    # Without the zone database of the system or of the package tzdata, UTC must work all the same.
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ToolError(
            f"There is no time zone named {name!r}. Give an IANA name, for example Europe/Berlin, or UTC."
        ) from None
