"""The vendor's event stream: frames off the connection, through the reader, until the answer is whole."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol

import httpx2

from activities.providers.anthropic.reading import MessageReader
from activities.providers.failures import ended_early
from activities.providers.protocol import ModelCallError, ModelEvent

DRAIN_SECONDS = 1.0
"""How long to wait, behind the last event, for the end of the body that makes a connection reusable."""


class Frame(Protocol):
    """One event as the wire carries it, in whatever framing."""

    @property
    def event(self) -> str | None: ...
    @property
    def data(self) -> str: ...


Framing = Callable[[httpx2.Response], AsyncIterator[Frame]]
"""Cuts the body of a response into frames."""


async def read_events(
    response: httpx2.Response, framing: Framing, reader: MessageReader, label: str
) -> AsyncGenerator[ModelEvent]:
    """The events of an answer, up to and including `Finish`.

    Args:
        label: of the endpoint, for failures.

    Raises:
        ModelCallError: the stream brought an error, or ended without its terminal event.
        UnreadableStream: an event is not what the protocol says.
        httpx2.HTTPError: the connection failed.
    """
    frames = framing(response)
    async for frame in frames:
        if frame.event == "ping" or not frame.data:
            continue
        for event in reader.read(frame.data):
            yield event
        if reader.done:
            # The answer is whole: whatever happens to the connection now is of no concern.
            with contextlib.suppress(httpx2.HTTPError, TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    async for _ in frames:
                        pass
            return
    raise ModelCallError(ended_early(label))
