"""Every way in which a call over the OpenAI SDK can fail, as one `Failure`."""

import re
from collections.abc import Mapping
from typing import Any

from openai import APIConnectionError, APIStatusError

from activities.providers.failures import (
    OVERFLOW_TEXT,
    Rule,
    Signal,
    classify,
    display_name,
    retry_after,
    should_retry,
)
from activities.providers.json_text import as_object
from activities.providers.transport import MAX_RAW_CHARACTERS, phrase_of
from models.failures import Failure, FailureKind

_STATUS_OF_CODE = {
    "invalid_prompt": 400,
    "invalid_api_key": 401,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "server_is_overloaded": 529,
    "vector_store_timeout": 504,
}
"""What a code means where it comes in a stream, which brings no status of its own."""

_OWN_RULES = (
    Rule(
        FailureKind.CONTENT_FILTER,
        False,
        pattern=re.compile("content_filter|content_policy_violation|invalid_prompt|responsibleaipolicy"),
    ),
    Rule(FailureKind.CONFIG, False, frozenset({404, 413}), OVERFLOW_TEXT),
    Rule(
        FailureKind.CONFIG,
        False,
        pattern=re.compile("unsupported_(value|parameter)|unknown_parameter|must be verified to"),
    ),
)

_CONTINUITY = (
    (re.compile("no tool output found for function call"), "match=function_call_output_missing"),
    (
        re.compile("was provided without its required ('reasoning'|following) item"),
        "match=web_search_reasoning_missing",
    ),
)
"""Our own mistakes in telling the conversation, with the code that is shown of them."""

_CONTINUITY_MESSAGE = (
    "{name} could not match the conversation with what it remembers of it. This is an internal mismatch, not "
    "a matter of configuration or billing."
)

_CHAIN_BROKEN = re.compile(r"previous[ _]response.*not[ _]found", re.DOTALL)


def classify_exception(error: Exception, provider: str) -> Failure:
    """Sort an exception of the SDK, or of the HTTP client below it.

    Args:
        provider: label of the endpoint.
    """
    if isinstance(error, APIStatusError):
        return _classify_error(
            error.body, provider, error.status_code, error.response.headers, raw=error.response.text
        )
    return classify(Signal(provider, raw_detail=phrase_of(error, APIConnectionError)))


def classify_error_object(error: Any, provider: str) -> Failure:
    """Sort the error in a stream that began with 200."""
    return _classify_error(error, provider, None, {}, raw=None)


def classify_answer(body: Any, provider: str) -> Failure:
    """Sort an answer that came with 200 and holds an error in place of a stream."""
    return classify_error_object(as_object(body).get("error"), provider)


def _classify_error(
    error: Any, provider: str, status: int | None, headers: Mapping[str, str], raw: str | None
) -> Failure:
    code, kind = _text_at(error, "code"), _text_at(error, "type")
    message = _text_at(error, "message")
    if status is None:
        status = _status_of(error, code, kind)
    text = message.lower()
    for pattern, match in _CONTINUITY:
        if pattern.search(text):
            return _continuity_failure(provider, status, match)
    failure = classify(
        Signal(
            provider,
            status=status,
            code=f"{code} {kind}",
            detail=message or (error if isinstance(error, str) else None),
            raw_detail=raw[:MAX_RAW_CHARACTERS] if raw and not message else None,
            retry_after_seconds=retry_after(headers),
            should_retry=should_retry(headers),
        ),
        _OWN_RULES,
    )
    if _CHAIN_BROKEN.search(f"{text} {code}".lower()):
        generic = {"kind": FailureKind.GENERIC, "retryable": True, "chain_broken": True}
        return failure.model_copy(update={**generic, "detail": None, "message": _forgotten(provider)})
    return failure


def _continuity_failure(provider: str, status: int | None, match: str) -> Failure:
    return Failure(
        kind=FailureKind.GENERIC,
        message=_CONTINUITY_MESSAGE.format(name=display_name(provider)),
        detail=match,
        provider=provider,
        status_code=status,
    )


def _forgotten(provider: str) -> str:
    return f"{display_name(provider)} does not remember the conversation any more; it is told again."


def _status_of(error: Any, code: str, kind: str) -> int | None:
    """What an error without a status of its own says of it. Routers write the number as the code."""
    number = as_object(error).get("code")
    if isinstance(number, int):
        return number
    return _STATUS_OF_CODE.get(code) or _STATUS_OF_CODE.get(kind)


def _text_at(error: Any, name: str) -> str:
    """A text of an error object; empty when it is not there or no text."""
    value = as_object(error).get(name)
    return value if isinstance(value, str) else ""
