"""One neutral description of what went wrong with a model call (spec chat-loop.md 2.1, 2.2)."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class FailureKind(StrEnum):
    OVERLOADED = "overloaded"
    RATE_LIMIT = "rate_limit"
    TIMEOUT = "timeout"
    STARTUP_TIMEOUT = "startup_timeout"
    STREAM_SILENCE_TIMEOUT = "stream_silence_timeout"
    AUTH = "auth"
    CONFIG = "config"
    USAGE_LIMIT = "usage_limit"
    MISSING_KEY = "missing_key"
    PROVIDER_DISABLED = "provider_disabled"
    CONTENT_FILTER = "content_filter"
    GENERIC = "generic"


class Failure(BaseModel):
    """A classified failure.

    `message` is for people and names the provider by its display name, never a status code. `detail` is
    the provider's own explanation, safe to show. `retry_after_seconds` is what the provider asked for.
    `context_overflow`: the prompt is longer than the model takes, so a shorter one may fare better.
    `chain_broken`: the provider does not remember the conversation, so it has to be told the whole of it.
    """

    model_config = ConfigDict(frozen=True)

    kind: FailureKind
    message: str
    detail: str | None = None
    provider: str | None = None
    retryable: bool = False
    status_code: int | None = None
    retry_after_seconds: float | None = None
    context_overflow: bool = False
    chain_broken: bool = False

    def as_chat_error(self) -> dict[str, str | bool | int]:
        """The client's `ChatError`: what the stream's `error` event and `last_error` carry alike."""
        return self.model_dump(mode="json", exclude_none=True, exclude=_NOT_FOR_CLIENTS)


_NOT_FOR_CLIENTS = {"retry_after_seconds", "context_overflow", "chain_broken"}


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """When to give up on a step whose model calls fail one after the other.

    Attributes:
        attempts: calls that may fail in a row.
        total_seconds: time that may pass between the first failure and the begin of the last attempt.
    """

    attempts: int = 25
    total_seconds: float = 1800.0


MAX_RETRY_DELAY_SECONDS = 60.0


def retry_delay_seconds(failures: int, retry_after_seconds: float | None) -> float:
    """Seconds to wait after the n-th failure in a row (n from 1): 1 s doubling to 60 s, or what the
    provider asked for when that is longer (spec chat-loop.md 2.6)."""
    backoff = min(2.0 ** min(failures - 1, 6), MAX_RETRY_DELAY_SECONDS)
    return max(backoff, retry_after_seconds or 0.0)
