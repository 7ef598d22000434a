"""Routes of an organization's members."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.errors import ApiError, not_found
from api.organizations.lookup import CurrentOrganization, require_permission
from api.organizations.schemas import AddMember, EditMemberRoles, Member, MemberPage
from api.schemas import errors
from api.services import services_of
from api.users.lookup import CurrentUser
from models.permissions import Permission, Role
from models.store import organizations
from models.store.accounts import Caller
from models.store.organizations import MemberRecord, OrganizationRecord
from models.store.users import LastOwner, UserRecord

router = APIRouter(prefix="/organizations/{organization}", tags=["members"])


@router.get("/members", operation_id="listMembers", responses=errors(400, 404))
async def list_members(
    request: Request,
    organization: CurrentOrganization,
    q: Annotated[str, Query(max_length=200, description="Part of a username, name or address.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> list[Member]:
    """Members by username."""
    return (await _page(request, organization, q, limit, offset)).members


@router.get("/paginated-members", operation_id="listMembersWithCount", responses=errors(400, 404))
async def list_members_with_count(
    request: Request,
    organization: CurrentOrganization,
    q: Annotated[str, Query(max_length=200, description="Part of a username, name or address.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> MemberPage:
    """The same, and how many there are in all."""
    return await _page(request, organization, q, limit, offset)


async def _page(
    request: Request, organization: OrganizationRecord, q: str, limit: int, offset: int
) -> MemberPage:
    text = q.replace("\0", "").strip() or None
    found, count = await organizations.list_members(
        services_of(request).engine, organization.id, text=text, limit=limit, offset=offset
    )
    return MemberPage(members=[Member.of(one) for one in found], count=count)


@router.get("/members/{user}", operation_id="getMember", responses=errors(404))
async def get_member(request: Request, organization: CurrentOrganization, user: CurrentUser) -> Member:
    """One member."""
    return Member.of(await _member(request, organization, user))


@router.post("/members/{user}", operation_id="addMember", responses=errors(400, 403, 404, 409))
async def add_member(
    request: Request,
    organization: CurrentOrganization,
    user: CurrentUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("create", "member")],
    body: AddMember | None = None,
) -> Member:
    """Make a user a member. The caller has to know the user: from another organization, or as site owner."""
    role = (body or AddMember()).roles[0]
    _about(trail, organization, user)
    _require_manager(caller, organization, role)
    engine = services_of(request).engine
    if await organizations.find_member(engine, organization.id, user.id) is not None:
        raise ApiError(409, "The user is a member already.", "Change the role with PUT …/roles.")
    return await _put(request, organization, user, role, trail)


@router.put("/members/{user}/roles", operation_id="setMemberRoles", responses=errors(400, 403, 404, 409))
async def set_roles(
    request: Request,
    body: EditMemberRoles,
    organization: CurrentOrganization,
    user: CurrentUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "member")],
) -> Member:
    """Give a member another role. Owners are made and unmade by owners."""
    _about(trail, organization, user)
    member = await _member(request, organization, user)
    _require_manager(caller, organization, member.role, body.roles[0])
    return await _put(request, organization, user, body.roles[0], trail)


@router.delete(
    "/members/{user}",
    operation_id="removeMember",
    status_code=204,
    responses={204: {"description": "The user is no member any more."}, **errors(403, 404, 409)},
)
async def remove_member(
    request: Request,
    organization: CurrentOrganization,
    user: CurrentUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("delete", "member")],
) -> Response:
    """End a membership; everybody may end their own. The user's chats stay, for administrators to see."""
    _about(trail, organization, user)
    member = await _member(request, organization, user)
    if caller.user_id != user.id:
        _require_manager(caller, organization, member.role)
    services = services_of(request)
    try:
        await organizations.remove_member(
            services.engine, organization.id, user.id, trail.change({"role": member.role})
        )
    except LastOwner:
        raise _last_owner() from None
    services.callers.forget(user.id)
    return Response(status_code=204)


def _about(trail: Trail, organization: OrganizationRecord, user: UserRecord) -> None:
    trail.about(user.id, user.username, organization_id=organization.id)


async def _member(request: Request, organization: OrganizationRecord, user: UserRecord) -> MemberRecord:
    found = await organizations.find_member(services_of(request).engine, organization.id, user.id)
    if found is None:
        raise not_found("member")
    return found


def _require_manager(caller: Caller, organization: OrganizationRecord, *roles: Role) -> None:
    needed = Permission.MANAGE_OWNERS if Role.OWNER in roles else Permission.MANAGE
    require_permission(caller, needed, organization.id)


async def _put(
    request: Request, organization: OrganizationRecord, user: UserRecord, role: Role, trail: Trail
) -> Member:
    services = services_of(request)
    try:
        member = await organizations.put_member(
            services.engine, organization.id, user.id, role, trail.change({"role": role})
        )
    except LastOwner:
        raise _last_owner() from None
    services.callers.forget(user.id)
    return Member.of(member)


def _last_owner() -> ApiError:
    return ApiError(409, "The organization needs an owner.", "Make somebody else an owner first.")
