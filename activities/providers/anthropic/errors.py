"""Every way in which a call over the Anthropic SDK can fail, as one `Failure`."""

import re
import ssl
from collections.abc import Mapping
from typing import Any

import httpx2
from anthropic import APIConnectionError, APIStatusError

from activities.providers.failures import OVERFLOW_TEXT, Rule, Signal, classify, retry_after, should_retry
from models.failures import Failure, FailureKind


class UnreadableStream(Exception):
    """An event of the stream is not what the protocol says."""


MAX_RAW_CHARACTERS = 64 * 1024

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

_UNREADABLE = "server error: a part of the stream could not be read"
_RESET = "connection reset"
_TLS = "malformed configuration: the TLS certificate of the endpoint could not be verified"

_BELOW_THE_CLIENT = frozenset({"anyio", "h11", "h2", "httpcore", "httpcore2", "httpx", "httpx2"})
"""Packages whose exceptions are about the connection, whatever they are."""

# First match wins. A phrase says to people what happened, and to the rules how to sort it. The texts of these
# exceptions are not used: they may quote an address or a key.
_TRANSPORT_PHRASES: tuple[tuple[type[Exception], str], ...] = (
    (httpx2.ConnectTimeout, "the connection attempt timed out"),
    (httpx2.PoolTimeout, "timed out waiting for a free connection"),
    (httpx2.TimeoutException, "the connection timed out"),
    (httpx2.ConnectError, "connection refused, or no such host"),
    (httpx2.ProxyError, "the proxy is unavailable"),
    (httpx2.NetworkError, _RESET),
    (httpx2.RemoteProtocolError, "unexpected EOF: the connection closed before the answer was complete"),
    (httpx2.LocalProtocolError, "malformed configuration: the key or a header cannot be sent over HTTP"),
    (httpx2.UnsupportedProtocol, "malformed configuration: the address must begin with http or https"),
    (httpx2.InvalidURL, "malformed configuration: the address is not valid"),
    (httpx2.TooManyRedirects, "malformed configuration: the address redirects without end"),
    (httpx2.DecodingError, _UNREADABLE),
    (UnreadableStream, _UNREADABLE),
    (APIConnectionError, _RESET),
    # from below the HTTP client, which does not translate them all
    (TimeoutError, "the connection timed out"),
    (ConnectionRefusedError, "connection refused"),
    (ssl.SSLError, _RESET),
    (EOFError, "unexpected EOF: the connection closed before the answer was complete"),
    (OSError, _RESET),
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
    return classify(Signal(provider, raw_detail=_phrase(error)))


def classify_error_event(body: Any, provider: str) -> Failure:
    """Sort the payload of an `error` event, which ends a stream that began with 200."""
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
            detail=_text_at(body, "error", "message") or _text_at(body, "message"),
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


def _phrase(error: Exception) -> str:
    """What an exception that brings no answer means; empty for one that nobody foresaw."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return _TLS
    # The SDK wraps what the HTTP client raised; the innermost that is known says most.
    for known, phrase in _TRANSPORT_PHRASES:
        if any(isinstance(cause, known) for cause in causes):
            return phrase
    if any(type(cause).__module__.partition(".")[0] in _BELOW_THE_CLIENT for cause in causes):
        return _RESET
    return ""
