"""Routes of signing in and out.

The session is an API token that expires, in a cookie that scripts cannot read. It is as good as any other
token of its user, and is listed and revoked with them.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth.cookies import COOKIE
from api.auth.principals import CurrentCaller
from api.errors import ApiError, not_found
from api.schemas import errors
from api.services import Services, services_of
from api.sign_in import attempt as attempts
from api.sign_in.attempt import Attempt
from api.sign_in.provider import OpenIdProvider
from models.store.identities import Identity, NotInvited, Suspended, sign_in
from models.store.tokens import find_token, revoke_token

router = APIRouter(prefix="/users", tags=["sign-in"])

_CALLBACK = "/api/v2/users/oidc/callback"
_Text = Annotated[str | None, Query(max_length=4000)]


class AuthMethod(BaseModel):
    """One way to sign in."""

    enabled: bool


class AuthMethods(BaseModel):
    """How users may sign in. Tokens always hold."""

    oidc: AuthMethod
    password: AuthMethod = Field(default=AuthMethod(enabled=False), description="There are none.")


@router.get("/authmethods", operation_id="listAuthMethods")
async def list_methods(request: Request) -> AuthMethods:
    """How users may sign in; needs no token."""
    return AuthMethods(oidc=AuthMethod(enabled=services_of(request).provider is not None))


@router.get(
    "/oidc/login",
    operation_id="startSignIn",
    status_code=303,
    response_class=Response,
    responses={303: {"description": "To the OpenID provider."}, **errors(400, 404, 429, 503)},
)
async def begin(
    request: Request,
    redirect: Annotated[str, Query(max_length=2000, description="Path to go to afterwards.")] = "/",
) -> Response:
    """Send a browser to the OpenID provider."""
    services, provider = await _open(request)
    attempt = Attempt.begin(redirect)
    url = await provider.authorization_url(attempt, _callback(request, services))
    response = RedirectResponse(url, 303)
    response.set_cookie(
        attempts.COOKIE,
        attempt.encoded(),
        max_age=attempts.LIFE_SECONDS,
        path=_CALLBACK,
        secure=_is_secure(request, services),
        httponly=True,
        samesite="lax",  # strict would not be sent with the redirect from the provider
    )
    return response


@router.get(
    "/oidc/callback",
    operation_id="acceptSignIn",
    status_code=303,
    response_class=Response,
    responses={303: {"description": "Signed in."}, **errors(400, 403, 404, 429, 503)},
)
async def end(
    request: Request,
    code: _Text = None,
    state: _Text = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Where the provider sends browsers back to: begins a session, as a cookie."""
    services, provider = await _open(request)
    attempt = Attempt.decoded(request.cookies.get(attempts.COOKIE, ""))
    if attempt is None or not attempt.matches(state or ""):
        raise ApiError(400, "This sign-in was not begun by this browser, or too long ago.", "Begin again.")
    if error is not None or not code:
        raise ApiError(403, "The OpenID provider did not let you in.", "Begin again.")
    identity = await provider.redeem(code, attempt, _callback(request, services))
    secret = await _begin_session(services, identity)
    response = RedirectResponse(attempt.target, 303)
    response.delete_cookie(attempts.COOKIE, path=_CALLBACK)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(services.settings.session_seconds),
        path="/",
        secure=_is_secure(request, services),
        httponly=True,
        samesite="lax",
    )
    return response


@router.post(
    "/logout",
    operation_id="endSession",
    status_code=204,
    responses={204: {"description": "The session is over."}, **errors(403)},
)
async def sign_out(request: Request, caller: CurrentCaller) -> Response:
    """End the session that the request belongs to. An API token that was made on purpose stays."""
    services = services_of(request)
    token = await find_token(services.engine, caller.user_id, caller.token_id)
    if token is not None and token.kind == "session":
        await revoke_token(services.engine, caller.user_id, caller.token_id)
        services.callers.forget(caller.user_id)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/")
    return response


async def _open(request: Request) -> tuple[Services, OpenIdProvider]:
    services = services_of(request)
    await services.rate_limit.count_address(request)
    if services.provider is None:
        raise not_found("OpenID provider")
    return services, services.provider


async def _begin_session(services: Services, identity: Identity) -> str:
    settings = services.settings
    domains = {domain.lower() for domain in settings.oidc_email_domains}
    if domains and (identity.email or "").rpartition("@")[2].lower() not in domains:
        raise _not_invited()
    try:
        return await sign_in(
            services.engine,
            identity,
            join=settings.oidc_organization if settings.oidc_create_users else None,
            session_until=datetime.now(UTC) + timedelta(seconds=settings.session_seconds),
            request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
        )
    except NotInvited:
        raise _not_invited() from None
    except Suspended:
        raise ApiError(403, "You are suspended.", "Ask an administrator.") from None


def _not_invited() -> ApiError:
    return ApiError(403, "You are no user here.", "Ask an administrator to let you in.")


def _callback(request: Request, services: Services) -> str:
    base = services.settings.public_url or str(request.base_url)
    return f"{base.rstrip('/')}{_CALLBACK}"


def _is_secure(request: Request, services: Services) -> bool:
    return (services.settings.public_url or str(request.base_url)).startswith("https:")
