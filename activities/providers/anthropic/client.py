"""One endpoint of the Messages API: a client with its pool of connections, and the calls made over it."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import httpx2
from anthropic import APIStatusError, AsyncAnthropic, DefaultAsyncHttpxClient

from activities.providers.anthropic.errors import classify_exception
from activities.providers.anthropic.request import wire_request
from activities.providers.anthropic.stream import read_events
from activities.providers.protocol import ModelCallError, ModelEvent, ModelRequest

_TIMEOUT = httpx2.Timeout(connect=10.0, read=600.0, write=60.0, pool=30.0)
"""Seconds. The pauses a reader may have to sit through are guarded by the caller, who knows why it waits."""

_LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=200, keepalive_expiry=30.0)
"""A stream occupies a connection for as long as the model talks, so the first number bounds the streams."""

_log = logging.getLogger(__name__)


class AnthropicProvider:
    """An Anthropic endpoint, or one that speaks its protocol. Implements `ModelProvider`.

    Make one per endpoint and key and keep it: it holds the connections.
    """

    def __init__(self, *, api_key: str, base_url: str | None = None, label: str = "anthropic") -> None:
        """Prepare the client; nothing is sent.

        Args:
            api_key: the key of this endpoint.
            base_url: where it is, without `/v1`; None for the vendor's own.
            label: short name in metrics and failures; signatures are stored under it.

        Raises:
            ModelCallError: the address is not valid.
        """
        self._label = label
        try:
            self._client = AsyncAnthropic(
                api_key=api_key,
                base_url=base_url,
                max_retries=0,
                http_client=DefaultAsyncHttpxClient(timeout=_TIMEOUT, limits=_LIMITS),
            )
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
                opening = self._client.messages.with_streaming_response.create(
                    **wire_request(request, self._label), stream=True, extra_headers=request.headers
                )
                response = await stack.enter_async_context(opening)
            except Exception as error:  # noqa: BLE001
                raise self._failed(error) from None
            yield await stack.enter_async_context(aclosing(self._events(response.http_response)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _events(self, response: httpx2.Response) -> AsyncGenerator[ModelEvent]:
        try:
            async for event in read_events(response, self._label):
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
