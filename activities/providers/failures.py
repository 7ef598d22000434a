"""What went wrong with a model call, sorted into few kinds whoever the vendor is (spec chat-loop.md 2.3-2.5).

An adapter describes a failure as a `Signal`; the first rule that matches it decides.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from models.failures import Failure, FailureKind

MAX_DETAIL_CHARACTERS = 500

DISPLAY_NAMES = {
    "anthropic": "Anthropic",
    "azure": "Azure OpenAI",
    "bedrock": "AWS Bedrock",
    "demo": "Demo model",
    "google": "Google",
    "openai": "OpenAI",
    "openai-compat": "OpenAI Compatible",
    "openrouter": "OpenRouter",
    "vercel": "Vercel AI Gateway",
    "vertex": "Google Vertex AI",
}

_TRANSIENT_MESSAGES = {
    FailureKind.OVERLOADED: "{name} is temporarily overloaded.",
    FailureKind.RATE_LIMIT: "{name} is rate limiting requests.",
    FailureKind.TIMEOUT: "{name} is temporarily unavailable.",
    FailureKind.STARTUP_TIMEOUT: "{name} did not start to answer in time.",
    FailureKind.STREAM_SILENCE_TIMEOUT: "{name} fell silent in the middle of its answer.",
}
_TERMINAL_MESSAGES = {
    FailureKind.TIMEOUT: "The request to {name} timed out before it was answered.",
    FailureKind.AUTH: (
        "{name} did not accept the API key. Check the key and its permissions in the provider settings, "
        "then send the message again."
    ),
    FailureKind.CONFIG: (
        "{name} refused the model or the request as it is configured. Check the model and the provider "
        "settings, then send the message again."
    ),
    FailureKind.USAGE_LIMIT: (
        "The usage quota for {name} is used up. Check billing and limits of the provider account, then "
        "send the message again."
    ),
    FailureKind.MISSING_KEY: (
        "There is no API key for {name}. Add one in the provider settings, then send the message again."
    ),
    FailureKind.PROVIDER_DISABLED: (
        "{name} is disabled. Ask an administrator to enable it, then send the message again."
    ),
    FailureKind.CONTENT_FILTER: "{name} declined to answer. Change the message and send it again.",
}
_UNEXPECTED = "{name} returned an unexpected error."
_UNKNOWN = "The chat request to {name} failed unexpectedly."
TOO_LONG = (
    "{name} refused the conversation for its length. Compact or clear the chat, or choose a model that takes "
    "more, then send the message again."
)
WITHOUT_OUTPUT = "{name} ended its answer without output."
ENDED_EARLY = "{name} ended its answer before it was complete."


@dataclass(frozen=True, slots=True)
class Signal:
    """What is known of a failure.

    Attributes:
        provider: label of the endpoint, for example `anthropic`.
        status: HTTP status, or the one the vendor documents for the type of an error event.
        code: machine-readable type or code of the error.
        text: everything else worth matching; in any case.
        detail: the provider's own explanation of the error, from a structured answer.
        raw_detail: an explanation from anywhere else; shown only if it looks harmless.
        retry_after_seconds: how long the provider asked us to wait.
        should_retry: what the provider itself says about another attempt, if it does.
    """

    provider: str
    status: int | None = None
    code: str = ""
    text: str = ""
    detail: str | None = None
    raw_detail: str | None = None
    retry_after_seconds: float | None = None
    should_retry: bool | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table: it matches by status, or by a pattern found in code or text.

    Attributes:
        status_blind_to: with this status the pattern alone does not count.
        unless_config: does not apply to a failure that is about the configuration, too.
    """

    kind: FailureKind
    retryable: bool
    statuses: frozenset[int] = frozenset()
    pattern: re.Pattern[str] | None = None
    status_blind_to: int | None = None
    unless_config: bool = False

    def matches(self, status: int | None, text: str) -> bool:
        if self.unless_config and CONFIG_TEXT.search(text):
            return False
        if status in self.statuses:
            return True
        if self.pattern is None or (status is not None and status == self.status_blind_to):
            return False
        return self.pattern.search(text) is not None


def _any_of(*fragments: str) -> re.Pattern[str]:
    return re.compile("|".join(fragments))


CONFIG_TEXT = _any_of(
    "invalid model",
    "model not found",
    "model_not_found",
    "unsupported model",
    "context length exceeded",
    "context_length_exceeded",
    "context_exceeded",
    "maximum context length",
    "malformed config",
)

OVERFLOW_TEXT = _any_of(
    "context length exceeded",
    "context_length_exceeded",
    "context_exceeded",
    "maximum context length",
    "context window",
    "exceeds? (the )?context limit",
    "(prompt|input|request|conversation) is too long",
    "input tokens exceed",
    "available context size",
)
"""Refusals of a prompt for its length, where a shorter one may be taken."""

REQUEST_TOO_LARGE = 413

_FOR_PEOPLE_TO_MEND = frozenset(
    {FailureKind.AUTH, FailureKind.CONFIG, FailureKind.USAGE_LIMIT, FailureKind.PROVIDER_DISABLED}
)
"""Kinds that no other attempt will cure, whatever a provider says of it."""

RULES: tuple[Rule, ...] = (
    Rule(FailureKind.GENERIC, False, pattern=_any_of("(chat|request|operation) interrupted")),
    Rule(FailureKind.PROVIDER_DISABLED, False, pattern=_any_of("provider_disabled")),
    Rule(FailureKind.OVERLOADED, True, frozenset({529}), _any_of("overloaded")),
    Rule(FailureKind.USAGE_LIMIT, False, pattern=_any_of("insufficient_quota")),
    Rule(
        FailureKind.USAGE_LIMIT,
        False,
        frozenset({402}),
        _any_of("quota", "billing", "payment required"),
        status_blind_to=429,
    ),
    Rule(
        FailureKind.AUTH,
        False,
        frozenset({401}),
        _any_of("authentication", "unauthorized", "invalid api key", "invalid_api_key"),
    ),
    Rule(FailureKind.AUTH, False, frozenset({403}), _any_of("forbidden"), unless_config=True),
    Rule(
        FailureKind.RATE_LIMIT,
        True,
        frozenset({429}),
        _any_of("rate[ _-]limit", "too many requests"),
        unless_config=True,
    ),
    Rule(FailureKind.TIMEOUT, False, pattern=_any_of("deadline exceeded"), unless_config=True),
    Rule(
        FailureKind.TIMEOUT,
        True,
        frozenset({408, 502, 503, 504}),
        _any_of(
            r"timed? ?out",
            r"\bunavailable",
            "connection (reset|refused)",
            r"\beof\b",
            "broken pipe",
            "bad gateway",
            "client conn",
            "goaway",
            "http2: stream closed",
            "use of closed network connection",
            "(internal_error|refused_stream|cancel|enhance_your_calm|no_error); received from peer",
        ),
        unless_config=True,
    ),
    Rule(FailureKind.CONFIG, False, pattern=CONFIG_TEXT),
    Rule(FailureKind.GENERIC, True, frozenset({500}), _any_of("server error")),
)


def classify(signal: Signal, own_rules: Sequence[Rule] = ()) -> Failure:
    """Sort a failure: first by the rules of its vendor, then by those common to all.

    What no rule knows is generic and not retried.
    """
    text = f"{signal.code} {signal.detail or ''} {signal.text} {signal.raw_detail or ''}".lower()
    status = signal.status if signal.status is not None else status_in_text(text)
    for rule in (*own_rules, *RULES):
        if rule.matches(status, text):
            kind, retryable = rule.kind, rule.retryable
            break
    else:
        kind, retryable = FailureKind.GENERIC, False
    if signal.should_retry is not None and kind not in _FOR_PEOPLE_TO_MEND:
        retryable = signal.should_retry
    too_long = status == REQUEST_TOO_LARGE or OVERFLOW_TEXT.search(text) is not None
    return provider_failure(
        kind,
        signal.provider,
        retryable=retryable,
        status_code=status,
        detail=_detail(signal, kind),
        retry_after_seconds=signal.retry_after_seconds,
        context_overflow=kind is FailureKind.CONFIG and too_long,
    )


def provider_failure(
    kind: FailureKind,
    provider: str,
    *,
    retryable: bool = False,
    status_code: int | None = None,
    detail: str | None = None,
    retry_after_seconds: float | None = None,
    context_overflow: bool = False,
) -> Failure:
    """A failure of a known kind, worded for people. `detail` must be fit to be shown."""
    return Failure(
        kind=kind,
        message=(
            _named(TOO_LONG, provider)
            if context_overflow
            else message_for(kind, provider, retryable=retryable, status_code=status_code)
        ),
        detail=detail,
        provider=provider,
        retryable=retryable,
        status_code=status_code,
        retry_after_seconds=retry_after_seconds,
        context_overflow=context_overflow,
    )


def without_output(provider: str, finish_reason: str) -> Failure:
    """The answer is whole and holds nothing, though the model did not mean to stop: it is asked again."""
    return Failure(
        kind=FailureKind.GENERIC,
        message=_named(WITHOUT_OUTPUT, provider),
        detail=f"The answer ended with the reason {finish_reason!r}.",
        provider=provider,
        retryable=True,
    )


def declined(provider: str, refusal: str | None) -> Failure:
    """The model withheld its answer: in its own words, where it gave any."""
    failure = provider_failure(FailureKind.CONTENT_FILTER, provider)
    words = _shortened((refusal or "").strip())
    return failure.model_copy(update={"message": words}) if words else failure


def ended_early(provider: str) -> Failure:
    """The stream closed before its terminal event: what came may be half an answer, so it is asked again."""
    return Failure(
        kind=FailureKind.TIMEOUT, message=_named(ENDED_EARLY, provider), provider=provider, retryable=True
    )


def display_name(provider: str) -> str:
    """The name people know the provider by."""
    return DISPLAY_NAMES.get(provider, "the AI provider")


def message_for(kind: FailureKind, provider: str, *, retryable: bool, status_code: int | None) -> str:
    """One or two sentences: what happened and, when nobody will retry, what to do. Never the status code."""
    by_kind = _TRANSIENT_MESSAGES if retryable or status_code is not None else _TERMINAL_MESSAGES
    template = by_kind.get(kind) or _TERMINAL_MESSAGES.get(kind) or _TRANSIENT_MESSAGES.get(kind)
    if template is None:
        template = _UNEXPECTED if retryable or status_code is not None else _UNKNOWN
    return _named(template, provider)


def _named(template: str, provider: str) -> str:
    message = template.format(name=display_name(provider))
    return message[0].upper() + message[1:]


_URL = re.compile(r"\S*://\S*")
_KEY = re.compile(r"\b(?:sk|pk|rk)-[\w*.-]{5,}[\w*]|\bbearer\s+\S+", re.IGNORECASE)


def _detail(signal: Signal, kind: FailureKind) -> str | None:
    """The explanation that may be shown: the provider's own words, or a short raw text without an address."""
    text = signal.detail
    if not text:
        raw = (signal.raw_detail or "").strip()
        readable = "://" not in raw and not raw.startswith("<") and len(raw) <= MAX_DETAIL_CHARACTERS
        text = raw if readable and kind is not FailureKind.AUTH else ""
    return _shortened(_KEY.sub("…", _URL.sub("(link)", text)).strip()) or None


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_DETAIL_CHARACTERS else text[: MAX_DETAIL_CHARACTERS - 1] + "…"


_STATUS_NAMED = re.compile(r"\b(?:status(?: code)?|http(?:/\d(?:\.\d)?)?)[\s:=]+(\d{3})\b")
_STATUS_ALONE = re.compile(
    r"(?<![\w:.-])(?<!stream id )(401|403|408|429|500|502|503|504|529)(?![\w-]|\.\d)", re.IGNORECASE
)


def status_in_text(text: str) -> int | None:
    """The HTTP status that a lower-case text names, or holds as a number that can hardly be anything else."""
    found = _STATUS_NAMED.search(text) or _STATUS_ALONE.search(text)
    return int(found[1]) if found else None


MAX_RETRY_AFTER_SECONDS = 24 * 3600.0
"""Longer than anybody waits, and small enough for a date."""


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the provider asks us to wait, None when it does not say so in a way that can be read.

    Args:
        headers: with case-insensitive or lower-case names.
        now: what an HTTP date is measured against; the present if not given.
    """
    seconds = _number(headers.get("retry-after-ms"))
    if seconds is not None:
        seconds /= 1000
    else:
        value = headers.get("retry-after")
        seconds = _number(value)
        if seconds is None and value:
            seconds = _seconds_until(value, now or datetime.now(UTC))
    if seconds is None or not 0 < seconds < float("inf"):
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS)


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """What the header `x-should-retry` says, None when it says nothing that can be understood."""
    return {"true": True, "false": False}.get((headers.get("x-should-retry") or "").strip().lower())


def _number(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None


def _seconds_until(http_date: str, now: datetime) -> float | None:
    try:
        date = parsedate_to_datetime(http_date)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return (date - now).total_seconds()
