"""Reading what went through the gateway."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from api.auth.principals import CurrentCaller
from api.gateway.schemas import Interception, InterceptionPage
from api.requests import Moment
from api.schemas import errors
from api.services import services_of
from models.store.gateway_calls import CallFilter, read_calls

router = APIRouter(prefix="/aibridge", tags=["gateway"])

_Text = Annotated[str | None, Query(min_length=1, max_length=200)]


@router.get("/interceptions", operation_id="listInterceptions", responses=errors(400))
async def list_interceptions(
    request: Request,
    caller: CurrentCaller,
    organization_id: UUID | None = None,
    user_id: Annotated[UUID | None, Query(description="Who made the call.")] = None,
    provider: _Text = None,
    model: _Text = None,
    since: Annotated[Moment | None, Query(description="Not before this moment.")] = None,
    until: Annotated[Moment | None, Query(description="Before this moment.")] = None,
    after_id: Annotated[UUID | None, Query(description="Older ones than this.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> InterceptionPage:
    """Calls that went through the gateway: everybody sees their own, owners, administrators and auditors
    those of their organizations, site owners all."""
    wanted = CallFilter(since, until, organization_id, user_id, provider, model)
    found = await read_calls(services_of(request).engine, caller, wanted, after_id=after_id, limit=limit + 1)
    return InterceptionPage(
        interceptions=[Interception.of(call) for call in found[:limit]], has_more=len(found) > limit
    )
