"""The caller of a route, and whether the token is good for it.

The token comes as `Coder-Session-Token`, as `Authorization: Bearer`, or in the cookie that a sign-in sets. A
browser adds a cookie to requests of foreign pages, too; such a request may change nothing and open no socket
(`api.auth.cookies`).
"""

from typing import Annotated

import structlog
from fastapi import Depends, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from starlette.requests import HTTPConnection

from api.auth.cookies import COOKIE, refuse_foreign_page
from api.auth.state import remember_caller
from api.errors import ApiError
from api.services import services_of
from models.permissions import Scope
from models.store.accounts import Caller

TOKEN_SCHEMES = [
    # read by `authenticate`; declared so that the OpenAPI document tells of them
    Security(HTTPBearer(auto_error=False, description="Authorization: Bearer perdure_…")),
    Security(APIKeyHeader(name="Coder-Session-Token", auto_error=False)),
    Security(APIKeyCookie(name=COOKIE, auto_error=False)),
]

_CHAT_AREAS = ("chats", "notifications")
_OWN_SETTINGS = ("user-prompt", "user-compaction-thresholds")
"""Below `/chats/config`, where those of the whole deployment are, too: they are no matter of chats."""
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


async def authenticate(connection: HTTPConnection) -> Caller:
    """The user whose token the request carries.

    Raises:
        ApiError: 401, there is none or it is not valid. 403, it is not good for this. 429, too many requests.
    """
    secret, by_cookie = _secret(connection)
    caller = await admit(connection, secret)
    method = connection.scope.get("method", "GET")
    if by_cookie and (connection.scope["type"] == "websocket" or method not in _SAFE_METHODS):
        refuse_foreign_page(connection)
    needed = scope_for(method, connection.url.path)
    if needed is not None:
        require_scope(caller, needed)
    return caller


async def admit(connection: HTTPConnection, secret: str | None) -> Caller:
    """The user of a token, wherever the request had it.

    Raises:
        ApiError: 401, there is none or it is not valid. 429, too many requests.
    """
    services = services_of(connection)
    caller = await services.callers.find(secret) if secret else None
    if caller is None:
        await services.rate_limit.count_address(connection)
        raise ApiError(
            401,
            "This needs a valid token." if secret else "This needs a token.",
            "Send it as `Authorization: Bearer <token>` or as `Coder-Session-Token: <token>`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    structlog.contextvars.bind_contextvars(user_id=str(caller.user_id))
    remember_caller(connection, caller)
    await services.rate_limit.count_token(connection, caller.token_id)
    return caller


def require_scope(caller: Caller, needed: Scope) -> None:
    """Let only tokens go on that are good for this.

    Raises:
        ApiError: 403, this one is not.
    """
    if needed not in caller.scopes:
        raise ApiError(403, "This token is not good for that.", f"It would need the scope {needed}.")


def scope_for(method: str, path: str) -> Scope | None:
    """What a token must be good for to do this; None: any token may. Sockets only read.

    A route that nobody thought of here is none of chats, and so out of reach for tokens that are.
    """
    segments = path.split("/")[3:]  # after /api/<version>/
    reads = method in _SAFE_METHODS
    if reads and segments == ["users", "me"]:
        return None
    match segments:
        case ["chats", "config", setting, *_] if not reads and setting not in _OWN_SETTINGS:
            return Scope.ACCOUNT_WRITE
        case _:
            pass
    models_of_chats = len(segments) > 2 and segments[0] == "organizations" and segments[2] == "chats"
    if segments and (segments[0] in _CHAT_AREAS or (reads and models_of_chats)):
        return Scope.CHAT_READ if reads else Scope.CHAT_WRITE
    return Scope.ACCOUNT_READ if reads else Scope.ACCOUNT_WRITE


def _secret(connection: HTTPConnection) -> tuple[str | None, bool]:
    """The token, and whether a cookie brought it."""
    secret = secret_in_headers(connection)
    if secret is not None or connection.headers.get("authorization", "").strip():
        return secret, False
    return connection.cookies.get(COOKIE) or None, True


def secret_in_headers(connection: HTTPConnection) -> str | None:
    """The token in one of the two headers that are good everywhere."""
    token = connection.headers.get("coder-session-token", "").strip()
    if token:
        return token
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


async def _of_request(connection: HTTPConnection) -> Caller:
    return await authenticate(connection)


CurrentCaller = Annotated[Caller, Depends(_of_request)]
