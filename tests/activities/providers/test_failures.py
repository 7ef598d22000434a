"""The table that sorts failures, the wording, and what the provider asks for."""

from datetime import UTC, datetime

import pytest

from activities.providers.failures import (
    Signal,
    classify,
    ended_early,
    message_for,
    provider_failure,
    retry_after,
    status_in_text,
)
from models.failures import FailureKind as Kind

TEXTS = [
    ("Operation interrupted", None, Kind.GENERIC, False),
    ("provider_disabled: by the administrator", 503, Kind.PROVIDER_DISABLED, False),
    ("the model is overloaded", None, Kind.OVERLOADED, True),
    ("insufficient_quota", 429, Kind.USAGE_LIMIT, False),
    ("you exceeded your quota", 403, Kind.USAGE_LIMIT, False),
    ("you exceeded your quota", 429, Kind.RATE_LIMIT, True),
    ("billing is not set up; unauthorized", 401, Kind.USAGE_LIMIT, False),
    ("unauthorized for this invalid model", None, Kind.AUTH, False),
    ("forbidden", None, Kind.AUTH, False),
    ("forbidden: model not found", 403, Kind.CONFIG, False),
    ("too many requests", None, Kind.RATE_LIMIT, True),
    ("rate limited: maximum context length", 429, Kind.CONFIG, False),
    ("maximum context length exceeded", 503, Kind.CONFIG, False),
    ("dial tcp: connection refused", None, Kind.TIMEOUT, True),
    ("unexpected EOF", None, Kind.TIMEOUT, True),
    ("geoffrey said no", None, Kind.GENERIC, False),
    ("stream error: stream ID 429; INTERNAL_ERROR; received from peer", None, Kind.TIMEOUT, True),
    ("malformed configuration", None, Kind.CONFIG, False),
    ("internal server error", None, Kind.GENERIC, True),
    ("", 500, Kind.GENERIC, True),
    ("", 418, Kind.GENERIC, False),
    ("upstream answered with status code 503", None, Kind.TIMEOUT, True),
]


@pytest.mark.parametrize(("text", "status", "kind", "retryable"), TEXTS)
def test_the_first_rule_that_matches_decides(
    text: str, status: int | None, kind: Kind, retryable: bool
) -> None:
    failure = classify(Signal("openai", status=status, text=text))
    assert (failure.kind, failure.retryable) == (kind, retryable)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("got status 418", 418),
        ("status code: 503", 503),
        ("http/1.1 502 bad gateway", 502),
        ("error 429, slow down", 429),
        ("connect to 127.0.0.1:503 failed", None),
        ("stream id 429 closed", None),
        ("req-500-x and v1.503", None),
        ("408", 408),
        ("answer 42", None),
    ],
)
def test_a_status_is_read_from_text_only_where_it_must_be_one(text: str, status: int | None) -> None:
    assert status_in_text(text) == status


def test_the_detail_is_the_words_of_the_provider_without_addresses_or_keys() -> None:
    said = "Incorrect API key provided: sk-abc***XYZ0. See https://example.com/keys?k=1 for help."
    failure = classify(Signal("openai", status=401, detail=said, raw_detail="raw"))
    assert failure.detail == "Incorrect API key provided: …. See (link) for help."


@pytest.mark.parametrize(
    ("raw", "status", "shown"),
    [
        ("upstream is down", 502, "upstream is down"),
        ("the key sk-1 is bad", 401, None),
        ("see https://example.com", 502, None),
        ("<html>Bad gateway</html>", 502, None),
        ("x" * 501, 502, None),
    ],
)
def test_raw_text_is_shown_only_when_it_is_harmless(raw: str, status: int, shown: str | None) -> None:
    assert classify(Signal("openai", status=status, raw_detail=raw)).detail == shown


def test_a_long_detail_is_cut_and_says_so() -> None:
    detail = classify(Signal("openai", status=400, detail="é" * 600)).detail
    assert detail == "é" * 499 + "…"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "3", "retry-after-ms": "200"}, 0.2),
        ({"retry-after": "3", "retry-after-ms": "x"}, 3.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "tomorrow"}, None),
    ],
)
def test_retry_after_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, datetime(2026, 3, 1, 12, tzinfo=UTC)) == seconds


def test_messages_begin_with_a_capital_and_never_hold_the_status() -> None:
    for kind in Kind:
        for retryable in (True, False):
            for status in (None, 503):
                message = message_for(kind, "somebody new", retryable=retryable, status_code=status)
                assert message[0].isupper()
                assert "the AI provider" in message.replace("The AI", "the AI")
                assert "503" not in message


@pytest.mark.parametrize(
    "kind", [Kind.AUTH, Kind.CONFIG, Kind.USAGE_LIMIT, Kind.MISSING_KEY, Kind.PROVIDER_DISABLED]
)
def test_a_terminal_failure_says_what_to_do(kind: Kind) -> None:
    assert "the message again." in provider_failure(kind, "anthropic", status_code=401).message


def test_messages_tell_a_timeout_of_ours_from_one_of_theirs() -> None:
    ours = provider_failure(Kind.TIMEOUT, "google").message
    theirs = provider_failure(Kind.TIMEOUT, "google", retryable=True).message
    assert ours == "The request to Google timed out before it was answered."
    assert theirs == "Google is temporarily unavailable."
    assert ended_early("google").message == "Google ended its answer before it was complete."
    assert provider_failure(Kind.GENERIC, "azure").message == (
        "The chat request to Azure OpenAI failed unexpectedly."
    )
