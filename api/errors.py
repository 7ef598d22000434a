"""What goes wrong at the doors, and how it is told: one JSON shape, whatever the cause."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from runtime.blobs import BlobsUnavailable

UNAVAILABLE_RETRY_SECONDS = 2

log = structlog.get_logger("api")


class FieldError(BaseModel):
    """One field that is not as it should be."""

    field: str = Field(examples=["content[0].text"])
    detail: str = Field(examples=["Must not be empty."])


class ErrorBody(BaseModel):
    """Every error of this API. Rely on the status and on `validations[].field`; texts may change."""

    message: str = Field(examples=["The request is not valid."])
    detail: str | None = Field(default=None, examples=["content[0].text: Must not be empty."])
    validations: list[FieldError] | None = None
    request_id: str | None = Field(default=None, description="To be told when asking for help.")
    limit_micros: int | None = Field(default=None, description="Of a budget that is used up.")
    consumed_micros: int | None = Field(default=None, description="What it has been used for so far.")


class ApiError(Exception):
    """An answer other than success.

    Args:
        status: HTTP status.
        message: What is wrong, for people.
        detail: What to do next, or where exactly it is.
        validations: Pairs of field and what is wrong with it.
        figures: What else the answer tells, by the names of `ErrorBody`.
    """

    def __init__(
        self,
        status: int,
        message: str,
        detail: str | None = None,
        *,
        validations: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        figures: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail
        self.validations = tuple(validations)
        self.headers = dict(headers or {})
        self.figures = dict(figures or {})

    def response(self) -> Response:
        body: dict[str, Any] = {"message": self.message, **self.figures}
        if self.detail is not None:
            body["detail"] = self.detail
        if self.validations:
            body["validations"] = [{"field": field, "detail": text} for field, text in self.validations]
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if request_id:
            body["request_id"] = request_id
        return Response(orjson.dumps(body), self.status, self.headers, "application/json")


def invalid(*validations: tuple[str, str], status: int = 400) -> ApiError:
    """A request that breaks a rule. Each pair is a field and what was expected of it."""
    first_field, first_text = validations[0]
    return ApiError(
        status, "The request is not valid.", f"{first_field}: {first_text}", validations=validations
    )


def unavailable(message: str, detail: str) -> ApiError:
    """Something behind this door is away for now."""
    return ApiError(503, message, detail, headers={"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)})


def not_found(what: str) -> ApiError:
    return ApiError(404, f"There is no such {what}, or it is not yours.")


def too_large(limit: int) -> ApiError:
    """A body of more than `limit` bytes."""
    return ApiError(413, "The request body is too large.", f"At most {limit} bytes are taken.")


def field_path(location: Sequence[int | str]) -> str:
    """`("body", "content", 0, "text")` as `content[0].text`."""
    path = ""
    for step in location[1:] if location and location[0] in _SOURCES else location:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
    return path or str(location[0] if location else "body")


_SOURCES = ("body", "query", "path", "header", "cookie")

_STATUS_TEXTS = {
    404: ("There is no such route.", "The routes are listed at /docs."),
    405: ("This route does not take that method.", "The routes and their methods are listed at /docs."),
}


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of the framework in our shape. What nobody foresaw is `api.middleware`'s."""

    async def ours(connection: HTTPConnection, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return error.response()

    async def validation(connection: HTTPConnection, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _validation_error(error).response()

    async def framework(connection: HTTPConnection, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 413:
            return too_large(int(error.detail)).response()
        message, detail = _STATUS_TEXTS.get(error.status_code, (error.detail, None))
        return ApiError(error.status_code, message, detail, headers=error.headers).response()

    async def database_away(connection: HTTPConnection, error: Exception) -> Response:
        log.warning("database cannot be reached", path=connection.url.path, error=type(error).__name__)
        return unavailable(
            "The database cannot be reached.",
            "Repeat the request in a moment, with the same Idempotency-Key if it had one.",
        ).response()

    async def files_away(connection: HTTPConnection, error: Exception) -> Response:
        log.warning("the store of files cannot be reached", path=connection.url.path, error=str(error))
        return unavailable(
            "The store of files cannot be reached.", "Repeat the request in a moment."
        ).response()

    app.add_exception_handler(ApiError, ours)
    app.add_exception_handler(BlobsUnavailable, files_away)
    app.add_exception_handler(OperationalError, database_away)
    app.add_exception_handler(PoolTimeout, database_away)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, framework)


def _validation_error(error: RequestValidationError) -> ApiError:
    problems: Sequence[Any] = error.errors()
    if problems and problems[0]["type"] == "json_invalid":
        position = problems[0]["loc"][-1]
        reason = problems[0].get("ctx", {}).get("error", "")
        return ApiError(
            400, "The request body is not JSON.", f"At character {position}: {reason or 'cannot be read'}."
        )
    return invalid(*[(_sendable(field_path(p["loc"])), f"{_sendable(p['msg'])}.") for p in problems])


def _sendable(echo: str) -> str:
    return echo.encode(errors="replace").decode()
