"""The user in the path of a request, and who may manage them."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path
from starlette.requests import Request

from api.auth.principals import CurrentCaller
from api.errors import ApiError, not_found
from api.services import services_of
from models.permissions import Permission, Role, SiteRole
from models.store import users
from models.store.accounts import Caller
from models.store.users import UserRecord

ME = "me"


async def find_user(
    request: Request,
    user: Annotated[str, Path(max_length=64, description="Id or username; `me` is the caller.")],
    caller: CurrentCaller,
) -> UserRecord:
    """The user in the path, if the caller may know of them.

    Raises:
        ApiError: 404, there is none for this caller.
    """
    found = await users.find_user(services_of(request).engine, caller, _named(user, caller))
    if found is None:
        raise not_found("user")
    return found


def _named(user: str, caller: Caller) -> str | UUID:
    if user == ME:
        return caller.user_id
    try:
        return UUID(user)
    except ValueError:
        return user.replace("\0", "")


CurrentUser = Annotated[UserRecord, Depends(find_user)]


async def may_manage(request: Request, caller: Caller, user: UserRecord) -> bool:
    """Whether the caller may change this user, suspend them and handle their tokens.

    Site owners may, and whoever manages all organizations the user is in: no tenant's administrator decides
    about another tenant's user. Who owns is managed by who may make owners.
    """
    if caller.site_role is SiteRole.OWNER:
        return True
    if user.site_role == SiteRole.OWNER or not user.organization_ids:
        return False
    roles = await users.roles_of(services_of(request).engine, user.id)
    return bool(roles) and all(
        caller.may(Permission.MANAGE_OWNERS if role is Role.OWNER else Permission.MANAGE, organization)
        for organization, role in roles.items()
    )


async def require_manager(request: Request, caller: Caller, user: UserRecord) -> None:
    """Let only those go on who may manage the user.

    Raises:
        ApiError: 403.
    """
    if not await may_manage(request, caller, user):
        raise ApiError(
            403, "You may not manage this user.", "Administrators of all organizations of a user may."
        )


async def require_self_or_manager(request: Request, caller: Caller, user: UserRecord) -> None:
    """Let the user go on, too.

    Raises:
        ApiError: 403.
    """
    if caller.user_id != user.id:
        await require_manager(request, caller, user)
