"""Routes of API tokens."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.errors import ApiError, not_found
from api.schemas import errors
from api.services import services_of
from api.users.lookup import CurrentUser, require_self_or_manager
from api.users.schemas import CreateToken, NewToken, Token
from models.permissions import Scope, granted
from models.store import tokens
from models.store.accounts import Caller
from models.store.users import UserRecord

router = APIRouter(prefix="/users/{user}/keys", tags=["tokens"])

TokenId = Annotated[UUID, Path(description="Id of a token.")]


@router.post("/tokens", operation_id="createToken", status_code=201, responses=errors(400, 403, 404))
async def create_token(
    request: Request,
    response: Response,
    body: CreateToken,
    user: CurrentUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("create", "token")],
) -> NewToken:
    """Make a token for oneself, or for a user whom the caller manages. `key` is never shown again."""
    trail.about("", body.token_name, organization_id=_organization(user))
    await require_self_or_manager(request, caller, user)
    scopes = frozenset(body.scopes or [Scope.ALL])
    _refuse_more_than_own(caller, scopes)
    new = tokens.NewToken(user.id, body.token_name, scopes, _expiry(body))
    about = {"user": user.username, "scopes": sorted(scopes), "expires_at": _stamp(new.expires_at)}
    record, secret = await tokens.create_token(services_of(request).engine, new, trail.change(about))
    response.headers["Cache-Control"] = "no-store"
    return NewToken(key=secret, **Token.of(record).model_dump())


def _refuse_more_than_own(caller: Caller, scopes: frozenset[Scope]) -> None:
    if not granted(scopes) <= caller.scopes:
        raise ApiError(403, "A token cannot make one that is good for more than itself.")


def _expiry(body: CreateToken) -> datetime | None:
    seconds = body.lifetime_seconds or (body.lifetime or 0) / 1e9
    return datetime.now(UTC) + timedelta(seconds=seconds) if seconds else None


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


@router.get("/tokens", operation_id="listTokens", responses=errors(403, 404))
async def list_tokens(request: Request, user: CurrentUser, caller: CurrentCaller) -> list[Token]:
    """Tokens that hold, newest first, without their secrets."""
    await require_self_or_manager(request, caller, user)
    return [Token.of(token) for token in await tokens.list_tokens(services_of(request).engine, user.id)]


@router.get("/tokens/{token}", operation_id="getToken", responses=errors(400, 403, 404))
async def get_token(request: Request, token: TokenId, user: CurrentUser, caller: CurrentCaller) -> Token:
    """One token, without its secret."""
    await require_self_or_manager(request, caller, user)
    found = await tokens.find_token(services_of(request).engine, user.id, token)
    if found is None:
        raise not_found("token")
    return Token.of(found)


@router.delete(
    "/tokens/{token}",
    operation_id="revokeToken",
    status_code=204,
    responses={204: {"description": "It does not hold any more."}, **errors(400, 403, 404)},
)
@router.delete("/{token}", status_code=204, include_in_schema=False)
async def revoke_token(
    request: Request,
    token: TokenId,
    user: CurrentUser,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("delete", "token")],
) -> Response:
    """Let a token hold no more. Streams that it has opened end within seconds."""
    services = services_of(request)
    trail.about(token, organization_id=_organization(user))
    await require_self_or_manager(request, caller, user)
    if not await tokens.revoke_token(services.engine, user.id, token, trail.change({"user": user.username})):
        raise not_found("token")
    services.callers.forget(user.id)
    return Response(status_code=204)


def _organization(user: UserRecord) -> UUID | None:
    """Whose administrators may read of it; of a user in several organizations only site owners."""
    return user.organization_ids[0] if len(user.organization_ids) == 1 else None
