"""Exceptions from outside the SDK's own hierarchy, and refusals of a prompt for its length."""

import asyncio
import ssl

import anyio
import httpx2
import pytest

from activities.providers.anthropic.errors import classify_error_event, classify_exception
from models.failures import FailureKind

FOREIGN: list[tuple[Exception, FailureKind, bool]] = [
    (httpx2.RemoteProtocolError("peer closed connection"), FailureKind.TIMEOUT, True),
    (httpx2.ReadError(""), FailureKind.TIMEOUT, True),
    (httpx2.StreamClosed(), FailureKind.TIMEOUT, True),
    (anyio.BrokenResourceError(), FailureKind.TIMEOUT, True),
    (anyio.ClosedResourceError(), FailureKind.TIMEOUT, True),
    (ConnectionResetError(104, "Connection reset by peer"), FailureKind.TIMEOUT, True),
    (BrokenPipeError(), FailureKind.TIMEOUT, True),
    (OSError(113, "No route to host"), FailureKind.TIMEOUT, True),
    (TimeoutError(), FailureKind.TIMEOUT, True),
    (asyncio.IncompleteReadError(b"", 5), FailureKind.TIMEOUT, True),
    (ssl.SSLError("record layer failure"), FailureKind.TIMEOUT, True),
    (ssl.SSLCertVerificationError("self-signed"), FailureKind.CONFIG, False),
    (RuntimeError("the key sk-secret-1234567 is bad"), FailureKind.GENERIC, False),
]


@pytest.mark.parametrize(("error", "kind", "retryable"), FOREIGN, ids=lambda x: type(x).__name__)
def test_an_exception_from_below_the_sdk_is_sorted(error: Exception, kind: FailureKind, retryable: bool):
    failure = classify_exception(error, "anthropic")
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert "secret" not in repr(failure)


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000",
        "Your input exceeds the context window of this model.",
    ],
)
def test_an_overflow_is_told_from_other_mistakes(message: str):
    failure = classify_error_event(
        {"type": "error", "error": {"type": "invalid_request_error", "message": message}}, "anthropic"
    )
    assert (failure.kind, failure.context_overflow, failure.retryable) == (FailureKind.CONFIG, True, False)


def test_a_body_too_large_is_an_overflow():
    failure = classify_error_event(
        {"error": {"type": "request_too_large", "message": "too big"}}, "anthropic"
    )
    assert (failure.kind, failure.context_overflow, failure.status_code) == (FailureKind.CONFIG, True, 413)
