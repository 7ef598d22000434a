"""The organization in the path of a request, and who may do what with it."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path
from starlette.requests import Request

from api.auth.principals import CurrentCaller
from api.errors import ApiError, not_found
from api.services import services_of
from models.permissions import Permission
from models.store import organizations
from models.store.accounts import Caller
from models.store.organizations import OrganizationRecord


async def find_organization(
    request: Request,
    organization: Annotated[
        str, Path(max_length=64, description="Id or name; `default` is the one of the first start.")
    ],
    caller: CurrentCaller,
) -> OrganizationRecord:
    """The organization in the path, if the caller is in it or owns the site.

    Raises:
        ApiError: 404, there is none for this caller.
    """
    found = await organizations.find_organization(services_of(request).engine, caller, _named(organization))
    if found is None:
        raise not_found("organization")
    return found


def _named(organization: str) -> str | UUID:
    try:
        return UUID(organization)
    except ValueError:
        return organization.replace("\0", "")


CurrentOrganization = Annotated[OrganizationRecord, Depends(find_organization)]


def require_permission(caller: Caller, permission: Permission, organization_id: UUID) -> None:
    """Let only those go on whose role in the organization lets them.

    Raises:
        ApiError: 403.
    """
    if not caller.may(permission, organization_id):
        raise ApiError(403, "Your role in this organization does not let you do this.", f"To {permission}.")
