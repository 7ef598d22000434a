"""Routes of budgets."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.budgets.schemas import Budget, SetBudget
from api.errors import invalid, not_found
from api.organizations.lookup import CurrentOrganization, require_permission
from api.schemas import errors
from api.services import services_of
from models.permissions import Permission
from models.store import budgets
from models.store.budgets import NoSuchPot

router = APIRouter(prefix="/organizations/{organization}/budgets", tags=["budgets"])

_NO_SUCH_POT = {
    "user_id": "Is no member of the organization.",
    "chat_id": "Is no chat of the organization.",
}


@router.get("", operation_id="listBudgets", response_model_exclude_none=True, responses=errors(400, 403, 404))
async def list_budgets(
    request: Request,
    organization: CurrentOrganization,
    caller: CurrentCaller,
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> list[Budget]:
    """The organization's own budgets, then those of users, then those of chats."""
    require_permission(caller, Permission.READ_ALL_CHATS, organization.id)
    engine = services_of(request).engine
    found = await budgets.list_budgets(engine, organization.id, limit=limit, offset=offset)
    return [Budget.of(one) for one in found]


@router.put("", operation_id="setBudget", response_model_exclude_none=True, responses=errors(400, 403, 404))
async def set_budget(
    request: Request,
    body: SetBudget,
    organization: CurrentOrganization,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "budget")],
) -> Budget:
    """Limit what calls may cost in a period. There is one budget per period for each: setting it again
    changes its limit, and keeps what was spent."""
    trail.about("", organization.name, organization_id=organization.id)
    require_permission(caller, Permission.MANAGE, organization.id)
    engine = services_of(request).engine
    change = trail.change(body.model_dump(mode="json", exclude_none=True))
    try:
        budget_id = await budgets.set_budget(engine, organization.id, body.limit(), change)
    except NoSuchPot as error:
        raise invalid((error.field, _NO_SUCH_POT[error.field])) from None
    found = await budgets.find_budget(engine, organization.id, budget_id)
    if found is None:  # somebody has removed it at once
        raise not_found("budget")
    return Budget.of(found)


@router.delete(
    "/{budget}",
    operation_id="removeBudget",
    status_code=204,
    responses={204: {"description": "Limits nothing any more."}, **errors(400, 403, 404)},
)
async def remove_budget(
    request: Request,
    budget: Annotated[UUID, Path(description="Id of a budget.")],
    organization: CurrentOrganization,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("delete", "budget")],
) -> Response:
    """Remove a limit. What was spent stays known."""
    trail.about(budget, organization.name, organization_id=organization.id)
    require_permission(caller, Permission.MANAGE, organization.id)
    engine = services_of(request).engine
    if not await budgets.remove_budget(engine, organization.id, budget, trail.change()):
        raise not_found("budget")
    return Response(status_code=204)
