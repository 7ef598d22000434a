"""Answers that are no stream although their status says that all is well.

Gateways send errors so, and whatever else stands at a wrong address: a page to sign in, somebody's site. SDKs
hand the body to the reader of the stream, who finds nothing in it.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2

from activities.providers.failures import provider_failure
from activities.providers.json_text import as_object, decode_json
from activities.providers.protocol import ModelCallError
from activities.providers.transport import MAX_RAW_CHARACTERS
from models.failures import Failure, FailureKind

READ_SECONDS = 10.0
"""For the body of such an answer, which is short where it is worth reading."""

_NO_STREAM = ("application/json", "application/problem+json", "text/html")


async def require_stream(
    response: httpx2.Response, label: str, classify: Callable[[Any, str], Failure]
) -> None:
    """Let a stream pass; of an answer that says to be none, find out why.

    Args:
        label: of the endpoint, for failures.
        classify: sorts a decoded body that tells of an error, as one in a stream.

    Raises:
        ModelCallError: it is none. An error in the body is sorted; without one the address is wrong.
        httpx2.HTTPError, TimeoutError: the body could not be read.
    """
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _NO_STREAM:
        return
    async with asyncio.timeout(READ_SECONDS):
        body = await _beginning(response)
    if error := _error_in(body):
        raise ModelCallError(classify(error, label))
    detail = f"The answer is {media_type} and not a stream of events. Check the address of the provider."
    raise ModelCallError(provider_failure(FailureKind.CONFIG, label, detail=detail))


async def _beginning(response: httpx2.Response) -> str:
    read = bytearray()
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) > MAX_RAW_CHARACTERS:
            break
    return read.decode(errors="replace")


def _error_in(body: str) -> Any:
    """The body, if it is an object that tells of an error."""
    try:
        told = as_object(decode_json(body))
    except ValueError:
        return None
    return told if told.get("error") else None
