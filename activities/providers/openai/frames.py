"""The server-sent events of a response, handed to the reader of its interface."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Protocol

import httpx2

from activities.providers.failures import ended_early
from activities.providers.protocol import ModelCallError, ModelEvent

DRAIN_SECONDS = 1.0
"""How long to wait, behind the last event, for the end of the body that makes a connection reusable."""

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""The last event repeats the whole answer, pictures included."""


class EventReader(Protocol):
    """Reads one answer, event by event.

    Attributes:
        done: the answer is whole.
    """

    done: bool

    def read(self, data: str) -> Iterator[ModelEvent]:
        """The neutral events of one vendor event.

        Raises:
            ModelCallError: the event reports an error.
            UnreadableStream: it is not what the protocol says.
        """
        ...

    def end(self) -> Iterator[ModelEvent]:
        """The stream has ended without saying so; the events left, if the answer is whole nevertheless."""
        ...


async def read_events(
    response: httpx2.Response, reader: EventReader, label: str
) -> AsyncGenerator[ModelEvent]:
    """The events of an answer, up to and including `Finish`.

    Raises:
        ModelCallError: the stream brought an error, or ended without its terminal event.
        UnreadableStream: an event is not what the protocol says.
        httpx2.HTTPError: the connection failed.
    """
    frames = aiter(httpx2.EventSource(response, max_event_size=MAX_EVENT_BYTES))
    async for frame in frames:
        if not frame.data:
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
    for event in reader.end():
        yield event
    if not reader.done:
        raise ModelCallError(ended_early(label))
