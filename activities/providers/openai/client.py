"""One endpoint of an OpenAI interface: a client with its pool of connections, and the calls made over it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx2
from openai import APIStatusError, AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient

from activities.providers.limits import Excess, check_files, refusal
from activities.providers.openai.chat import ChatWire
from activities.providers.openai.content import files_of
from activities.providers.openai.errors import classify_answer, classify_exception
from activities.providers.openai.frames import EventReader, read_events
from activities.providers.openai.profiles import Profile
from activities.providers.openai.responses import ResponsesWire
from activities.providers.protocol import ModelCallError, ModelEvent, ModelRequest
from activities.providers.unstreamed import require_stream

_TIMEOUT = httpx2.Timeout(connect=10.0, read=600.0, write=60.0, pool=30.0)
"""Seconds. The pauses a reader may have to sit through are guarded by the caller, who knows why it waits."""

_LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=200, keepalive_expiry=30.0)
"""A stream occupies a connection for as long as the model talks, so the first number bounds the streams."""

_NO_KEY = "none"
"""What is sent where a server wants no key: the SDK insists on one."""

_log = logging.getLogger(__name__)


class Wire(Protocol):
    """One of the two interfaces: how a request is written, and how an answer is read."""

    @property
    def path(self) -> str: ...

    def body(self, request: ModelRequest) -> dict[str, Any]: ...

    def reader(self, request: ModelRequest) -> EventReader: ...


@dataclass(frozen=True, slots=True)
class Server:
    """Where an endpoint is and who may call it.

    Attributes:
        label: short name in metrics and failures.
        profile: what the server takes and tells.
        api_key: empty where it wants none.
        base_url: where it is, with `/v1`; None for the address in the profile.
        organization: whose calls these are, where a key belongs to several.
        api_version: sent along where it is set, as older deployments of Azure want it.
        namespace: what an account encrypts and stores is kept under this name, for that account alone; else
            under the label.
    """

    label: str
    profile: Profile
    api_key: str = field(repr=False)
    base_url: str | None = None
    organization: str | None = None
    api_version: str | None = None
    namespace: str | None = None


class OpenAIProvider:
    """An endpoint. Implements `ModelProvider`.

    Make one per endpoint and key and keep it: it holds the connections.
    """

    def __init__(self, wire: Wire, server: Server) -> None:
        """Prepare the client; nothing is sent. See `openai_responses` and `openai_chat`."""
        self._label = server.label
        self._wire = wire
        self._files = server.profile.files
        key, place = server.api_key or _NO_KEY, server.profile.place
        try:
            self._client = AsyncOpenAI(
                api_key=key,
                base_url=place.address(server.base_url),
                organization=server.organization,
                max_retries=0,
                default_headers={place.key_header: key} if place.key_header else None,
                default_query={"api-version": server.api_version} if server.api_version else None,
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
                await self._check(request)
                response = await self._open(request)
                stack.push_async_callback(response.aclose)
                await require_stream(response, self._label, classify_answer)
            except ModelCallError:
                raise
            except Exception as error:  # noqa: BLE001
                raise self._failed(error) from None
            yield await stack.enter_async_context(aclosing(self._events(request, response)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _check(self, request: ModelRequest) -> None:
        """Refuse files that the vendor would refuse, in better words.

        Raises:
            ModelCallError: one of them cannot be sent, or not all together.
        """
        if self._files is None or not (files := files_of(request.messages)):
            return
        try:
            await asyncio.to_thread(check_files, files, self._files)
        except Excess as excess:
            raise refusal(self._label, excess) from None

    async def _open(self, request: ModelRequest) -> httpx2.Response:
        # Not by the SDK's method of the route: that would go through the whole history, field by field, to
        # write it as we have written it, and would leave out what other servers take.
        stream = await self._client.post(
            self._wire.path,
            cast_to=object,
            body=self._wire.body(request),
            options={"headers": request.headers},
            stream=True,
            stream_cls=AsyncStream[object],
        )
        return stream.response

    async def _events(self, request: ModelRequest, response: httpx2.Response) -> AsyncGenerator[ModelEvent]:
        try:
            async for event in read_events(response, self._wire.reader(request), self._label):
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


def openai_responses(server: Server) -> OpenAIProvider:
    """An endpoint of the Responses API: OpenAI's own, or Azure's.

    Raises:
        ModelCallError: the address is not valid.
    """
    return OpenAIProvider(ResponsesWire(server.label, server.namespace or server.label), server)


def openai_chat(server: Server) -> OpenAIProvider:
    """An endpoint of the Chat Completions API, of OpenAI or of a server that is compatible with it.

    Raises:
        ModelCallError: the address is not valid.
    """
    return OpenAIProvider(ChatWire(server.label, server.profile), server)
