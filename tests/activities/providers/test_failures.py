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
    should_retry,
    status_in_text,
)
from models.failures import FailureKind as Kind
from models.failures import RetryLimits, retry_delay_seconds

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
    ("invalid model", 429, Kind.CONFIG, False),
    ("model not found", 503, Kind.CONFIG, False),
    ("authentication failed for invalid model", None, Kind.AUTH, False),
    ("quota", 429, Kind.RATE_LIMIT, True),
    ("billing", 400, Kind.USAGE_LIMIT, False),
    ("401: stream error: INTERNAL_ERROR; received from peer", None, Kind.AUTH, False),
    ("stream error: stream ID 401; INTERNAL_ERROR; received from peer", None, Kind.TIMEOUT, True),
    ("stream error: stream ID 503; PROTOCOL_ERROR; received from peer", None, Kind.GENERIC, False),
    ("lookup of 10.0.0.1:503 went wrong", None, Kind.GENERIC, False),
    ("context canceled", 500, Kind.GENERIC, True),
    ("internal server error: context canceled", None, Kind.GENERIC, True),
    ("context canceled", None, Kind.GENERIC, False),
    ("context deadline exceeded", None, Kind.TIMEOUT, False),
    ("http2: stream closed", None, Kind.TIMEOUT, True),
    ("read: connection reset by peer", None, Kind.TIMEOUT, True),
    ("write: broken pipe", None, Kind.TIMEOUT, True),
    ("http2: server sent GOAWAY", None, Kind.TIMEOUT, True),
    ("rate_limit_error", None, Kind.RATE_LIMIT, True),
    ("payment required", None, Kind.USAGE_LIMIT, False),
    ("invalid_api_key", None, Kind.AUTH, False),
    ("unsupported model", 404, Kind.CONFIG, False),
    ("", 408, Kind.TIMEOUT, True),
    ("", 502, Kind.TIMEOUT, True),
    ("", 504, Kind.TIMEOUT, True),
    ("", 529, Kind.OVERLOADED, True),
    ("", 429, Kind.RATE_LIMIT, True),
    ("chat interrupted", None, Kind.GENERIC, False),
    ("request interrupted", 503, Kind.GENERIC, False),
    ("insufficient_quota", 500, Kind.USAGE_LIMIT, False),
    ("", 402, Kind.USAGE_LIMIT, False),
    ("", 401, Kind.AUTH, False),
    ("authentication failed", None, Kind.AUTH, False),
    ("unauthorized", None, Kind.AUTH, False),
    ("invalid api key", 400, Kind.AUTH, False),
    ("", 403, Kind.AUTH, False),
    ("rate limit reached", None, Kind.RATE_LIMIT, True),
    ("you are rate limited", None, Kind.RATE_LIMIT, True),
    ("you are rate-limited", None, Kind.RATE_LIMIT, True),
    ("", 503, Kind.TIMEOUT, True),
    ("i/o timeout", None, Kind.TIMEOUT, True),
    ("the request timed out", None, Kind.TIMEOUT, True),
    ("service unavailable", None, Kind.TIMEOUT, True),
    ("the model is unavailable", None, Kind.TIMEOUT, True),
    ("connection reset", None, Kind.TIMEOUT, True),
    ("bad gateway", None, Kind.TIMEOUT, True),
    ("gateway timeout", None, Kind.TIMEOUT, True),
    ("http2: client conn not usable", None, Kind.TIMEOUT, True),
    ("use of closed network connection", None, Kind.TIMEOUT, True),
    ("INTERNAL_ERROR; received from peer", None, Kind.TIMEOUT, True),
    ("REFUSED_STREAM; received from peer", None, Kind.TIMEOUT, True),
    ("CANCEL; received from peer", None, Kind.TIMEOUT, True),
    ("ENHANCE_YOUR_CALM; received from peer", None, Kind.TIMEOUT, True),
    ("NO_ERROR; received from peer", None, Kind.TIMEOUT, True),
    ("INTERNAL_ERROR", None, Kind.GENERIC, False),
    ("timeout: invalid model", None, Kind.CONFIG, False),
    ("model_not_found", None, Kind.CONFIG, False),
    ("context length exceeded", None, Kind.CONFIG, False),
    ("context_exceeded", None, Kind.CONFIG, False),
    ("malformed config", None, Kind.CONFIG, False),
    ("server error", None, Kind.GENERIC, True),
]


@pytest.mark.parametrize(("text", "status", "kind", "retryable"), TEXTS)
def test_the_first_rule_that_matches_decides(
    text: str, status: int | None, kind: Kind, retryable: bool
) -> None:
    failure = classify(Signal("openai", status=status, text=text))
    assert (failure.kind, failure.retryable) == (kind, retryable)


@pytest.mark.parametrize(
    ("text", "status", "overflow"),
    [
        ("context_length_exceeded", 400, True),
        ("this model's maximum context length is 8192 tokens", 400, True),
        ("context length exceeded", None, True),
        ("model not found", 404, False),
        ("rate limited", 429, False),
        ("", 413, False),
    ],
)
def test_a_prompt_that_is_too_long_is_told_from_other_mistakes(
    text: str, status: int | None, overflow: bool
) -> None:
    failure = classify(Signal("openai", status=status, text=text))
    assert failure.context_overflow is overflow
    assert "context_overflow" not in failure.as_chat_error()


@pytest.mark.parametrize(
    ("status", "says", "retryable"),
    [
        (529, False, False),
        (400, True, True),
        (529, None, True),
        (401, True, False),
        (404, True, False),
    ],
)
def test_the_provider_has_the_last_word_unless_people_must_mend_it(
    status: int, says: bool | None, retryable: bool
) -> None:
    text = "model not found" if status == 404 else ""
    failure = classify(Signal("openai", status=status, text=text, should_retry=says))
    assert failure.retryable is retryable


@pytest.mark.parametrize(
    ("value", "meaning"), [("true", True), ("False", False), ("", None), ("maybe", None)]
)
def test_should_retry_is_read_from_its_header(value: str, meaning: bool | None) -> None:
    assert should_retry({"x-should-retry": value}) is meaning
    assert should_retry({}) is None


def test_delays_double_up_to_a_minute_unless_the_provider_asks_for_more() -> None:
    delays = [retry_delay_seconds(failures, None) for failures in range(1, 9)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    assert retry_delay_seconds(1, 90.0) == 90
    assert retry_delay_seconds(8, 0.5) == 60
    assert RetryLimits().attempts == 25


def test_the_label_of_the_run_wins_over_names_in_the_text() -> None:
    failure = classify(Signal("bedrock", status=529, text="anthropic.claude is overloaded"))
    assert (failure.provider, failure.message) == ("bedrock", "AWS Bedrock is temporarily overloaded.")


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
