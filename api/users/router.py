"""Routes of users."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.errors import ApiError, invalid
from api.schemas import errors
from api.services import services_of
from api.users.lookup import CurrentUser, require_manager, require_self_or_manager
from api.users.schemas import CreateUser, EditRoles, EditUser, User, UserPage
from models.permissions import Permission, Role, SiteRole
from models.store import users
from models.store.accounts import Caller
from models.store.users import RESERVED_USERNAMES, LastOwner, NameTaken, NewUser, NoOrganization, UserRecord

router = APIRouter(prefix="/users", tags=["users"])


@router.get("", operation_id="listUsers", responses=errors(400))
async def list_users(
    request: Request,
    caller: CurrentCaller,
    q: Annotated[str, Query(max_length=200, description="Part of a username, a name or an address.")] = "",
    status: Annotated[Literal["active", "suspended"] | None, Query()] = None,
    after_id: Annotated[UUID | None, Query(description="Resume after this user.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> UserPage:
    """The members of the caller's organizations, by username; site owners see everybody."""
    found, count = await users.list_users(
        services_of(request).engine,
        caller,
        text=q.replace("\0", "").strip() or None,
        status=status,
        after_id=after_id,
        limit=limit,
        offset=offset,
    )
    return UserPage(users=[User.of(user) for user in found], count=count)


@router.post("", operation_id="createUser", status_code=201, responses=errors(400, 403, 409))
async def create_user(
    request: Request,
    body: CreateUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("create", "user")],
) -> User:
    """Make a user, with a role in organizations that the caller manages. Site owners may leave them out."""
    organization = body.organization_ids[0] if len(body.organization_ids) == 1 else None
    known = organization if organization is None or caller.role_in(organization) else None
    trail.about("", body.username, organization_id=known)
    _check_username(body.username)
    _check_organizations(caller, body)
    new = NewUser(
        body.username,
        body.name,
        body.email,
        tuple((organization, body.role) for organization in dict.fromkeys(body.organization_ids)),
    )
    try:
        made = await users.create_user(
            services_of(request).engine, new, trail.change(body.model_dump(mode="json"))
        )
    except NameTaken:
        raise _taken() from None
    except NoOrganization:
        raise invalid(("organization_ids", "There is no such organization.")) from None
    return User.of(made)


def _taken() -> ApiError:
    return ApiError(409, "This username or address is taken.", "Choose another one.")


def _check_username(username: str) -> None:
    try:
        UUID(username)
    except ValueError:
        if username not in RESERVED_USERNAMES:
            return
    raise invalid(("username", "Must be no UUID, and no word that stands for something else in paths."))


def _check_organizations(caller: Caller, body: CreateUser) -> None:
    if caller.site_role is SiteRole.OWNER:
        return
    needed = Permission.MANAGE_OWNERS if body.role is Role.OWNER else Permission.MANAGE
    if not body.organization_ids or not all(caller.may(needed, o) for o in body.organization_ids):
        raise ApiError(403, "You may not make this user.", "Name organizations that you manage.")


@router.get("/{user}", operation_id="getUser", responses=errors(404))
async def get_user(user: CurrentUser) -> User:
    """A user; `me` is the caller, whatever their token is good for."""
    return User.of(user)


@router.patch("/{user}", operation_id="editUser", responses=errors(400, 403, 404, 409))
async def edit_user(
    request: Request,
    body: EditUser,
    user: CurrentUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "user")],
) -> User:
    """Change one's own username or name, or those of a user whom the caller manages. An address says who may
    sign in as the user, so that only who manages the user sets it."""
    _about(trail, user)
    if body.email is None:
        await require_self_or_manager(request, caller, user)
    else:
        await require_manager(request, caller, user)
    fields = body.model_dump(exclude_none=True)
    if body.username is not None:
        _check_username(body.username)
    return await _edit(request, user, fields, trail)


@router.put("/{user}/roles", operation_id="setUserRoles", responses=errors(400, 403, 404, 409))
async def set_roles(
    request: Request,
    body: EditRoles,
    user: CurrentUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "user")],
) -> User:
    """Make a user an owner of the site, or take that away. Only owners of the site may."""
    _about(trail, user)
    if caller.site_role is not SiteRole.OWNER:
        raise ApiError(403, "Only owners of the site may do this.")
    if not set(body.roles) <= {SiteRole.OWNER.value}:
        raise invalid(("roles", "Must hold `owner` or nothing."))
    role = SiteRole.OWNER if body.roles else SiteRole.NONE
    return await _edit(request, user, {"site_role": role.value}, trail)


@router.put("/{user}/status/suspend", operation_id="suspendUser", responses=errors(400, 403, 404, 409))
async def suspend_user(
    request: Request,
    user: CurrentUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "user")],
) -> User:
    """Let none of a user's tokens hold until the user is activated again. Open streams end within seconds."""
    return await _suspend(request, user, caller, trail)


@router.put("/{user}/status/activate", operation_id="activateUser", responses=errors(400, 403, 404))
async def activate_user(
    request: Request,
    user: CurrentUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "user")],
) -> User:
    """Let a suspended user's tokens hold again."""
    _about(trail, user)
    await require_manager(request, caller, user)
    return await _edit(request, user, {"status": "active"}, trail)


@router.delete(
    "/{user}",
    operation_id="deleteUser",
    status_code=204,
    responses={204: {"description": "The user is suspended."}, **errors(400, 403, 404, 409)},
)
async def delete_user(
    request: Request,
    user: CurrentUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("delete", "user")],
) -> Response:
    """The same as suspending: what a user has done keeps its author."""
    await _suspend(request, user, caller, trail)
    return Response(status_code=204)


async def _suspend(request: Request, user: UserRecord, caller: Caller, trail: Trail) -> User:
    _about(trail, user)
    await require_manager(request, caller, user)
    if user.id == caller.user_id:
        raise ApiError(400, "You cannot suspend yourself.", "Ask another administrator.")
    return await _edit(request, user, {"status": "suspended"}, trail)


def _about(trail: Trail, user: UserRecord) -> None:
    organization = user.organization_ids[0] if len(user.organization_ids) == 1 else None
    trail.about(user.id, user.username, organization_id=organization)


async def _edit(request: Request, user: UserRecord, fields: dict[str, Any], trail: Trail) -> User:
    services = services_of(request)
    try:
        edited = await users.edit_user(services.engine, user.id, fields, trail.change(fields))
    except NameTaken:
        raise _taken() from None
    except LastOwner:
        raise ApiError(409, "The site needs an owner.", "Make somebody else an owner first.") from None
    services.callers.forget(user.id)
    return User.of(edited)
