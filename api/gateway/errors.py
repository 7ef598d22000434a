"""Errors of the gateway itself, in the shape in which the vendor tells of its own.

The vendors' clients read them: status and type decide what is raised, and whether it is tried again.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response

from api.errors import ApiError, unavailable
from api.gateway.wires import Wire, wire_of_request

_HUNG_UP = 499
"""Nobody is there to read it; it stands in the log."""

_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}

log = structlog.get_logger("gateway")


class GatewayError(ApiError):
    """An error with a word for programs.

    Args:
        code: the word, `provider_disabled` for example.
    """

    def __init__(
        self, status: int, message: str, detail: str | None = None, *, code: str | None = None
    ) -> None:
        # what an administrator has to put right does not get better by being tried again
        headers = {"x-should-retry": "false"} if code is not None else None
        super().__init__(status, message, detail, headers=headers)
        self.code = code


def wrong(field: str, why: str) -> ApiError:
    """A request that breaks a rule of ours."""
    return ApiError(400, f"{field}: {why}")


def in_words_of(wire: Wire, error: ApiError) -> Response:
    """The error as the vendor would tell it."""
    text = f"{error.message} {error.detail}" if error.detail else error.message
    code = error.code if isinstance(error, GatewayError) else None
    shape = _anthropic if wire is Wire.ANTHROPIC else _openai
    body = orjson.dumps(shape(error.status, text, code))
    return Response(body, error.status, error.headers, "application/json")


def _anthropic(status: int, text: str, code: str | None) -> dict[str, Any]:
    kind = _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    told = f"{code}: {text}" if code else text
    body: dict[str, Any] = {"type": "error", "error": {"type": kind, "message": told}}
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return {**body, "request_id": request_id} if request_id else body


def _openai(status: int, text: str, code: str | None) -> dict[str, Any]:
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    if status == 429:
        kind, code = (code or "requests"), (code or "rate_limit_exceeded")
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


def wire_spoken_on(connection: HTTPConnection) -> Wire:
    """The protocol in which the caller wants to hear of errors."""
    return wire_of_request(connection.url.path, says_version="anthropic-version" in connection.headers)


class VendorRoute(APIRoute):
    """A route whose errors are told as the vendor would."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_their_words(request: Request) -> Response:
            try:
                return await handle(request)
            except ApiError as error:
                return in_words_of(wire_spoken_on(request), error)
            except RequestValidationError:
                return in_words_of(wire_spoken_on(request), ApiError(404, "There is no such model."))
            except (OperationalError, PoolTimeout) as error:
                log.warning("database cannot be reached", error=type(error).__name__)
                away = unavailable("The database cannot be reached.", "Repeat the request in a moment.")
                return in_words_of(wire_spoken_on(request), away)
            except ClientDisconnect:
                return Response(status_code=_HUNG_UP)

        return handle_in_their_words
