"""One endpoint that speaks the Messages protocol: a client with its pool of connections, and the calls made
over it. What is different from platform to platform comes from outside: the SDK's client, the framing of the
stream, and the dialect."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
from anthropic import (
    APIStatusError,
    AsyncAnthropic,
    DefaultAsyncHttpxClient,
)
from anthropic.lib.bedrock import AsyncAnthropicBedrock
from anthropic.lib.vertex import AsyncAnthropicVertex

from activities.providers.anthropic.errors import classify_error_event, classify_exception
from activities.providers.anthropic.limits import FILES, FILES_OF_LONG_CONTEXT, files_of
from activities.providers.anthropic.reading import MessageReader
from activities.providers.anthropic.request import Dialect, wire_request
from activities.providers.anthropic.stream import Framing, read_events
from activities.providers.limits import Excess, check_files, check_size, refusal
from activities.providers.protocol import ModelCallError, ModelEvent, ModelRequest
from activities.providers.unstreamed import require_stream

_TIMEOUT = httpx2.Timeout(connect=10.0, read=600.0, write=60.0, pool=30.0)
"""Seconds. The pauses a reader may have to sit through are guarded by the caller, who knows why it waits."""

_LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=200, keepalive_expiry=30.0)
"""A stream occupies a connection for as long as the model talks, so the first number bounds the streams."""

_log = logging.getLogger(__name__)

LONG_CONTEXT_TOKENS = 200_000
"""Models that take more than this take longer documents, too."""

SdkClient = AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicVertex


def http_client() -> httpx2.AsyncClient:
    """The HTTP client below an SDK's client."""
    return DefaultAsyncHttpxClient(timeout=_TIMEOUT, limits=_LIMITS)


class MessagesEndpoint:
    """Implements `ModelProvider`. Make one per endpoint and key and keep it: it holds the connections."""

    def __init__(
        self, make: Callable[[], SdkClient], dialect: Dialect, *, label: str, framing: Framing
    ) -> None:
        """Prepare the client; nothing is sent.

        Args:
            make: makes the SDK's client.
            label: short name in metrics and failures.
            framing: cuts the body of an answer into events.

        Raises:
            ModelCallError: the configuration of the endpoint is not valid.
        """
        self._label = label
        self._dialect = dialect
        self._framing = framing
        try:
            self._client = make()
        except httpx2.InvalidURL as error:
            raise self._failed(error) from None

    @property
    def label(self) -> str:
        return self._label

    @asynccontextmanager
    async def stream(self, request: ModelRequest) -> AsyncGenerator[AsyncIterator[ModelEvent]]:
        """Send a request and read its answer, see `ModelProvider.stream`.

        Read to the end of the events and the connection serves the next call; leave earlier and it is
        closed.
        """
        async with AsyncExitStack() as stack:
            try:
                response = await self._send(request, stack)
                await require_stream(response, self._label, classify_error_event)
            except ModelCallError:
                raise
            except Exception as error:  # noqa: BLE001
                raise self._failed(error) from None
            yield await stack.enter_async_context(aclosing(self._events(response)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _send(self, request: ModelRequest, stack: AsyncExitStack) -> httpx2.Response:
        wire = wire_request(request, self._dialect, datetime.now(UTC))
        await self._check(wire.body, long_context=(request.context_limit or 0) > LONG_CONTEXT_TOKENS)
        headers = {**request.headers, **({"anthropic-beta": ",".join(wire.betas)} if wire.betas else {})}
        # The body goes as it is, in place of these three: the SDK would walk through the conversation to
        # change nothing, and warn this process of models that an administrator has chosen.
        opening = self._client.messages.with_streaming_response.create(
            model="",
            max_tokens=0,
            messages=[],
            stream=True,
            extra_headers=headers,
            extra_body=wire.body,
        )
        return (await stack.enter_async_context(opening)).http_response

    async def _check(self, body: dict[str, Any], *, long_context: bool) -> None:
        """Refuse what the endpoint would refuse, in better words.

        Raises:
            ModelCallError: the request is too large, or a file in it.
        """
        try:
            check_size(body, self._dialect.max_request_bytes)
            if files := files_of(body["messages"]):
                limits = FILES_OF_LONG_CONTEXT if long_context else FILES
                await asyncio.to_thread(check_files, files, limits)
        except Excess as excess:
            raise refusal(self._label, excess) from None

    async def _events(self, response: httpx2.Response) -> AsyncGenerator[ModelEvent]:
        reader = MessageReader(self._label, self._dialect.namespace)
        try:
            async for event in read_events(response, self._framing, reader, self._label):
                yield event
        except ModelCallError:
            raise
        except Exception as error:  # noqa: BLE001
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> ModelCallError:
        """The classified form. The original is not chained: it may quote a key, or what somebody wrote."""
        failure = classify_exception(error, self._label)
        _log.info(
            "model call failed: %s",
            failure.kind,
            extra={
                "provider": self._label,
                "error_type": type(error).__name__,
                "status_code": failure.status_code,
                "request_id": error.request_id if isinstance(error, APIStatusError) else None,
            },
        )
        return ModelCallError(failure)
