"""Every way in which a call over the Anthropic SDK can fail, as one `Failure`."""

import re
from collections.abc import Mapping
from typing import Any

from anthropic import APIConnectionError, APIStatusError

from activities.providers.failures import OVERFLOW_TEXT, Rule, Signal, classify, retry_after, should_retry
from activities.providers.transport import MAX_RAW_CHARACTERS, phrase_of
from models.failures import Failure, FailureKind

_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    # as AWS names them in the middle of a stream
    "internalServerException": 500,
    "modelStreamErrorException": 500,
    "modelTimeoutException": 504,
    "serviceUnavailableException": 503,
    "throttlingException": 429,
    "validationException": 400,
}
"""The status the vendor documents for a type: an error event in a stream brings no status of its own."""

_OWN_RULES = (
    Rule(
        FailureKind.USAGE_LIMIT,
        False,
        pattern=re.compile("credit balance is too low|spend_limit_reached|organization_on_hold"),
    ),
    Rule(
        FailureKind.CONFIG,
        False,
        frozenset({404, 413}),
        OVERFLOW_TEXT,
    ),
)


def classify_exception(error: Exception, provider: str) -> Failure:
    """Sort an exception of the SDK, or of the HTTP client below it.

    Args:
        provider: label of the endpoint.
    """
    if isinstance(error, APIStatusError):
        return _classify_body(
            error.body, provider, error.status_code, error.response.headers, raw=error.message
        )
    return classify(Signal(provider, raw_detail=phrase_of(error, APIConnectionError)))


def classify_error_event(body: Any, provider: str) -> Failure:
    """Sort the payload of an `error` event, which ends a stream that began with 200, or takes its place."""
    return _classify_body(body, provider, None, {}, raw=None)


def _classify_body(
    body: Any, provider: str, status: int | None, headers: Mapping[str, str], raw: str | None
) -> Failure:
    error_type = _text_at(body, "error", "type")
    return classify(
        Signal(
            provider,
            status=status if status is not None else _STATUS_OF_TYPE.get(error_type),
            code=f"{error_type} {_text_at(body, 'error', 'details', 'error_code')}",
            detail=_text_at(body, "error", "message") or _text_at(body, "message") or _text_at(body, "error"),
            raw_detail=raw[:MAX_RAW_CHARACTERS] if raw and isinstance(body, str) else None,
            retry_after_seconds=retry_after(headers),
            should_retry=should_retry(headers),
        ),
        _OWN_RULES,
    )


def _text_at(body: Any, *path: str) -> str:
    """A text inside a decoded body; empty when it is not there or no text."""
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return body if isinstance(body, str) else ""
