"""Routes of groups."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.errors import ApiError, invalid, not_found
from api.organizations.lookup import CurrentOrganization, require_permission
from api.organizations.schemas import CreateGroup, EditGroup, Group, GroupWithMembers
from api.schemas import errors
from api.services import services_of
from models.permissions import Permission
from models.store import groups
from models.store.accounts import Caller
from models.store.groups import GroupEdit, GroupRecord, NotMembers
from models.store.users import NameTaken

router = APIRouter(tags=["groups"])


async def find_group(
    request: Request, group: Annotated[UUID, Path(description="Id of a group.")], caller: CurrentCaller
) -> GroupRecord:
    """The group in the path, if it is of one of the caller's organizations."""
    found = await groups.find_group(services_of(request).engine, caller, group)
    if found is None:
        raise not_found("group")
    return found


CurrentGroup = Annotated[GroupRecord, Depends(find_group)]


@router.get("/organizations/{organization}/groups", operation_id="listGroups", responses=errors(400, 404))
async def list_groups(
    request: Request,
    organization: CurrentOrganization,
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> list[Group]:
    """Groups by name."""
    engine = services_of(request).engine
    found = await groups.list_groups(engine, organization.id, limit=limit, offset=offset)
    return [Group.of(one) for one in found]


@router.post(
    "/organizations/{organization}/groups",
    operation_id="createGroup",
    status_code=201,
    responses=errors(400, 403, 404, 409),
)
async def create_group(
    request: Request,
    body: CreateGroup,
    organization: CurrentOrganization,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("create", "group")],
) -> Group:
    """Make a group without members."""
    trail.about("", body.name, organization_id=organization.id)
    require_permission(caller, Permission.MANAGE, organization.id)
    try:
        made = await groups.create_group(
            services_of(request).engine,
            organization.id,
            body.name,
            body.display_name,
            trail.change(body.model_dump(mode="json")),
        )
    except NameTaken:
        raise _taken() from None
    return Group.of(made)


@router.get("/groups/{group}", operation_id="getGroup", responses=errors(400, 404))
async def get_group(request: Request, group: CurrentGroup) -> GroupWithMembers:
    """A group and its members."""
    members = await groups.list_group_members(services_of(request).engine, group.id)
    return GroupWithMembers.of_members(group, members)


@router.patch("/groups/{group}", operation_id="editGroup", responses=errors(400, 403, 404, 409))
async def edit_group(
    request: Request,
    body: EditGroup,
    group: CurrentGroup,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "group")],
) -> GroupWithMembers:
    """Change a group, and who is in it."""
    _require_manager(trail, caller, group)
    fields = body.model_dump(include={"name", "display_name"}, exclude_none=True)
    edit = GroupEdit(fields, add=set(body.add_users), remove=set(body.remove_users))
    engine = services_of(request).engine
    try:
        edited = await groups.edit_group(
            engine, group, edit, trail.change(body.model_dump(mode="json", exclude_defaults=True))
        )
    except NameTaken:
        raise _taken() from None
    except NotMembers as error:
        raise invalid(("add_users", f"{error.user_ids[0]} is no member of the organization.")) from None
    return GroupWithMembers.of_members(edited, await groups.list_group_members(engine, group.id))


@router.delete(
    "/groups/{group}",
    operation_id="deleteGroup",
    status_code=204,
    responses={204: {"description": "Gone, with what was shared with it."}, **errors(400, 403, 404)},
)
async def delete_group(
    request: Request,
    group: CurrentGroup,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("delete", "group")],
) -> Response:
    """Forget a group. Its members see no more of what was shared with it."""
    _require_manager(trail, caller, group)
    await groups.delete_group(services_of(request).engine, group.id, trail.change())
    return Response(status_code=204)


def _require_manager(trail: Trail, caller: Caller, group: GroupRecord) -> None:
    trail.about(group.id, group.name, organization_id=group.organization_id)
    require_permission(caller, Permission.MANAGE, group.organization_id)


def _taken() -> ApiError:
    return ApiError(409, "The organization has a group of this name.", "Choose another name.")
