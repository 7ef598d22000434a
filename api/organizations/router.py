"""Routes of organizations."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.errors import ApiError
from api.organizations.lookup import CurrentOrganization, require_permission
from api.organizations.schemas import CreateOrganization, EditOrganization, Organization
from api.schemas import errors
from api.services import services_of
from models.permissions import Permission, SiteRole
from models.store import organizations
from models.store.users import NameTaken

router = APIRouter(prefix="/organizations", tags=["organizations"])


@router.get("", operation_id="listOrganizations", responses=errors(400))
async def list_organizations(
    request: Request,
    caller: CurrentCaller,
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> list[Organization]:
    """The caller's organizations, by name; site owners see all."""
    engine = services_of(request).engine
    found = await organizations.list_organizations(engine, caller, limit=limit, offset=offset)
    return [Organization.of(one) for one in found]


@router.post("", operation_id="createOrganization", status_code=201, responses=errors(400, 403, 409))
async def create_organization(
    request: Request,
    body: CreateOrganization,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("create", "organization")],
) -> Organization:
    """Make an organization. Only owners of the site may."""
    trail.about("", body.name)
    if caller.site_role is not SiteRole.OWNER:
        raise ApiError(403, "Only owners of the site may do this.")
    services = services_of(request)
    try:
        made = await organizations.create_organization(
            services.engine,
            body.name,
            body.display_name,
            caller.user_id,
            trail.change(body.model_dump(mode="json")),
        )
    except NameTaken:
        raise _taken() from None
    services.callers.forget(caller.user_id)
    return Organization.of(made)


@router.get("/{organization}", operation_id="getOrganization", responses=errors(404))
async def get_organization(organization: CurrentOrganization) -> Organization:
    """One organization."""
    return Organization.of(organization)


@router.patch("/{organization}", operation_id="editOrganization", responses=errors(400, 403, 404, 409))
async def edit_organization(
    request: Request,
    body: EditOrganization,
    organization: CurrentOrganization,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "organization")],
) -> Organization:
    """Change the name or the display name."""
    trail.about(organization.id, organization.name, organization_id=organization.id)
    require_permission(caller, Permission.MANAGE, organization.id)
    fields = body.model_dump(exclude_none=True)
    try:
        edited = await organizations.edit_organization(
            services_of(request).engine, organization.id, fields, trail.change(fields)
        )
    except NameTaken:
        raise _taken() from None
    return Organization.of(edited)


def _taken() -> ApiError:
    return ApiError(409, "There is an organization of this name.", "Choose another name.")
