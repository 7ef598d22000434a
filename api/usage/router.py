"""The route that tells what was used and what it has cost."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from api.auth.principals import CurrentCaller
from api.errors import invalid
from api.requests import Moment
from api.schemas import errors
from api.services import services_of
from models.store.usage import UsageBy, UsageFilter, Used, read_usage

router = APIRouter(tags=["usage"])

_USUAL = timedelta(days=30)
_LONGEST = timedelta(days=366)


class UsageSums(BaseModel):
    """Sums over calls that are over. Costs are millionths of a dollar."""

    requests: int
    unpriced_requests: int = Field(description="Those without a cost, because there is no price.")
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int = Field(description="Part of the output.")
    cache_creation_tokens: int
    cache_read_tokens: int
    cost_micros: int
    assumed_cost_micros: int = Field(
        description="Part of the cost: calls that were cut off, with the most they can have cost."
    )


class UsageLine(UsageSums):
    """The sums of one day, model, user or chat."""

    day: datetime | None = None
    provider: str | None = None
    model: str | None = None
    user_id: UUID | None = None
    username: str | None = None
    chat_id: UUID | None = Field(default=None, description="Absent for calls through the gateway.")


class UsageReport(BaseModel):
    """Days in their order, others the dearest first. `total` is over all, also where `has_more`."""

    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    group_by: UsageBy
    rows: list[UsageLine]
    total: UsageSums
    has_more: bool


@router.get("/chats/usage", operation_id="getUsage", response_model_exclude_none=True, responses=errors(400))
async def get_usage(
    request: Request,
    caller: CurrentCaller,
    since: Annotated[Moment | None, Query(alias="from", description="Default: 30 days before `to`.")] = None,
    until: Annotated[
        Moment | None, Query(alias="to", description="Before this moment. Default: now.")
    ] = None,
    group_by: UsageBy = UsageBy.DAY,
    organization_id: UUID | None = None,
    user_id: UUID | None = None,
    chat_id: Annotated[UUID | None, Query(description="A root: its subagents are counted along.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 400,
) -> UsageReport:
    """What calls of models have used and cost: the caller's own, and all of an organization for its
    administrators and auditors."""
    end = until or datetime.now(UTC)
    begin = since or _before(end, _USUAL)
    if begin >= end:
        raise invalid(("from", "Must be before to."))
    if end - begin > _LONGEST:
        raise invalid(("from", f"Must be at most {_LONGEST.days} days before to."))
    wanted = UsageFilter(begin, end, organization_id, user_id, chat_id)
    found = await read_usage(services_of(request).engine, caller, group_by, wanted, limit=limit)
    return UsageReport.model_validate(
        {
            "from": begin,
            "to": end,
            "group_by": group_by,
            "rows": [UsageLine(**_sums(row.used), **row.key) for row in found.rows],
            "total": UsageSums(**_sums(found.total)),
            "has_more": found.has_more,
        }
    )


def _before(moment: datetime, span: timedelta) -> datetime:
    try:
        return moment - span
    except OverflowError:
        raise invalid(("to", "Must be later.")) from None


def _sums(used: Used) -> dict[str, int]:
    return {name: getattr(used, name) for name in Used.__dataclass_fields__}
