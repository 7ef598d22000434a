"""Reading a stream for as long as somebody wants to, over as many connections as that takes."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx2

from perdure.client.errors import ApiError, NoServer, ProtocolError
from perdure.client.events import ConnectionLost, Event, parse_event
from perdure.client.novelty import Novelty

_GIVE_UP_SECONDS = 300.0
_BACKOFF_SECONDS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0)
_MAX_EVENT_BYTES = 16 << 20  # an event may hold a whole message
# a server says something at least every 15 s
_TIMEOUT = httpx2.Timeout(10.0, read=45.0)


@dataclass(frozen=True)
class Connected:
    """A connection stands."""


async def follow(http: httpx2.AsyncClient, path: str, after_id: int | None = None) -> AsyncGenerator[Event]:
    """The events of a stream, each once, across lost connections.

    Args:
        http: Brings the server's address and the token.
        path: Of the stream.
        after_id: Messages up to this one are known already.

    Yields:
        Events, and `ConnectionLost` once per connection that broke.

    Raises:
        ApiError: There is no such chat, or the token is not valid.
        NoServer: Nobody has answered for five minutes.
        ProtocolError: What came is no stream of events.
    """
    novelty = Novelty()
    params = {} if after_id is None else {"after_id": str(after_id)}
    position: str | None = None
    async with aclosing(connections(http, path, params, lambda: position)) as messages:
        async for message in messages:
            match message:
                case Connected():
                    pass
                case ConnectionLost():
                    yield message
                case _:
                    for new in novelty.filter(parse_event(json_of(message))):
                        yield new
                    position = message.id or position


async def connections(
    http: httpx2.AsyncClient, path: str, params: Mapping[str, str], position: Callable[[], str | None]
) -> AsyncGenerator[httpx2.ServerSentEvent | Connected | ConnectionLost]:
    """The messages of a stream, over as many connections as it takes.

    Args:
        position: Where to resume, asked for each connection.

    Yields:
        Messages, `Connected` before those of each connection, and `ConnectionLost` once for each that broke.

    Raises:
        ApiError: There is no such stream, or the token is not valid.
        NoServer: Nobody has answered for five minutes.
    """
    failures, heard, told = 0, time.monotonic(), False
    while True:
        reason: str | None = None
        pause = _BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)]
        connected = False
        try:
            async with aclosing(_connection(http, path, params, position())) as messages:
                async for message in messages:
                    connected = True
                    if isinstance(message, httpx2.ServerSentEvent):
                        failures, told, pause = 0, False, _BACKOFF_SECONDS[0]
                    yield message
        except httpx2.TransportError as error:
            reason = str(error) or type(error).__name__
        except ApiError as refused:
            if refused.status < 500 and refused.status != 429:
                raise
            reason = refused.message
            pause = max(pause, refused.retry_after or 0.0)
        if connected:  # it may have been quiet for hours
            heard = time.monotonic()
        if reason and not told:
            told = True
            yield ConnectionLost(reason)
        if time.monotonic() - heard > _GIVE_UP_SECONDS:
            raise NoServer(f"{http.base_url} has not answered for five minutes ({reason}). All is kept.")
        await asyncio.sleep(pause)
        failures += 1


async def _connection(
    http: httpx2.AsyncClient, path: str, params: Mapping[str, str], position: str | None
) -> AsyncGenerator[httpx2.ServerSentEvent | Connected]:
    """The messages of one connection, and first that it stands."""
    headers = {} if position is None else {"Last-Event-ID": position}
    async with http.sse(
        path, params=params, headers=headers, timeout=_TIMEOUT, max_event_size=_MAX_EVENT_BYTES
    ) as source:
        if source.response.status_code != 200:
            response = source.response
            raise ApiError.from_answer(response.status_code, await response.aread(), response.headers)
        yield Connected()
        async for message in source:
            if message.data:
                yield message


def json_of(message: httpx2.ServerSentEvent) -> Any:
    """What a message says.

    Raises:
        ProtocolError: It is not JSON.
    """
    try:
        return json.loads(message.data)
    except ValueError as error:
        raise ProtocolError(f"the stream holds something that is not JSON ({error}).") from error
