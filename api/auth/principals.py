"""The caller of a route, from `Coder-Session-Token` or `Authorization: Bearer`."""

from typing import Annotated

import structlog
from fastapi import Depends, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.requests import HTTPConnection

from api.errors import ApiError
from api.services import services_of
from models.store.accounts import Caller

TOKEN_SCHEMES = [
    # read by `authenticate`; declared so that the OpenAPI document tells of them
    Security(HTTPBearer(auto_error=False, description="Authorization: Bearer perdure_…")),
    Security(APIKeyHeader(name="Coder-Session-Token", auto_error=False)),
]


async def authenticate(connection: HTTPConnection) -> Caller:
    """The user whose token the request carries.

    Raises:
        ApiError: 401, there is none or it is not valid.
    """
    secret = _secret(connection)
    caller = await services_of(connection).callers.find(secret) if secret else None
    if caller is None:
        raise ApiError(
            401,
            "This needs a valid token." if secret else "This needs a token.",
            "Send it as `Authorization: Bearer <token>` or as `Coder-Session-Token: <token>`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    structlog.contextvars.bind_contextvars(user_id=str(caller.user_id))
    return caller


def _secret(connection: HTTPConnection) -> str | None:
    token = connection.headers.get("coder-session-token")
    if token:
        return token.strip()
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def _of_request(connection: HTTPConnection) -> Caller:
    return await authenticate(connection)


CurrentCaller = Annotated[Caller, Depends(_of_request)]
