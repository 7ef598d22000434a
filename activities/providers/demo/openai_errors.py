"""Errors as both OpenAI protocols write them."""

from collections.abc import Mapping
from typing import Any

from activities.providers.demo.dialect import InvalidRequest

_TYPES = {429: "requests"}
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def bearer_missing(headers: Mapping[str, str]) -> InvalidRequest | None:
    """The refusal of a request without a key; servers of other vendors take it in a header of their own."""
    if headers.get("authorization", "").startswith("Bearer ") or headers.get("api-key"):
        return None
    return InvalidRequest(
        "You didn't provide an API key. You need to provide your API key in an Authorization header "
        "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        status=401,
    )


def refusal_body(refused: InvalidRequest) -> dict[str, Any]:
    error = {
        "message": str(refused),
        "type": "invalid_request_error",
        "param": refused.param,
        "code": refused.code or _CODES.get(refused.status),
    }
    return {"error": error}


def error_body(status: int, error_type: str | None, code: str | None, message: str) -> dict[str, Any]:
    """The body of an ordered error; type and code are those of the status when not given."""
    ours = "invalid_request_error" if status < 500 else "server_error"
    error = {
        "message": message,
        "type": error_type or _TYPES.get(status, ours),
        "param": None,
        "code": code or _CODES.get(status),
    }
    return {"error": error}
