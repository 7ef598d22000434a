"""Reading a chat's stream for as long as somebody wants to, over as many connections as that takes."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import httpx2

from perdure.client.errors import ApiError, NoServer, ProtocolError
from perdure.client.events import ConnectionLost, Event, WireEvent, parse_event
from perdure.client.novelty import Novelty

_GIVE_UP_SECONDS = 300.0
_BACKOFF_SECONDS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0)
_MAX_EVENT_BYTES = 16 << 20  # an event may hold a whole message
# a server says something at least every 15 s
_TIMEOUT = httpx2.Timeout(10.0, read=45.0)


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
    failures, heard, told = 0, time.monotonic(), False
    while True:
        reason: str | None = None
        pause = _BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)]
        connected = False
        try:
            async with aclosing(_connection(http, path, params, position)) as messages:
                async for message in messages:
                    connected = True
                    if message is None:
                        continue
                    failures, told, pause = 0, False, _BACKOFF_SECONDS[0]
                    for new in novelty.filter(_event(message)):
                        yield new
                    position = message.id or position
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
            raise NoServer(f"{http.base_url} has not answered for five minutes ({reason}). The chat is kept.")
        await asyncio.sleep(pause)
        failures += 1


async def _connection(
    http: httpx2.AsyncClient, path: str, params: Mapping[str, str], position: str | None
) -> AsyncGenerator[httpx2.ServerSentEvent | None]:
    """The messages of one connection; first None, when it stands."""
    headers = {} if position is None else {"Last-Event-ID": position}
    async with http.sse(
        path, params=params, headers=headers, timeout=_TIMEOUT, max_event_size=_MAX_EVENT_BYTES
    ) as source:
        if source.response.status_code != 200:
            response = source.response
            raise ApiError.from_answer(response.status_code, await response.aread(), response.headers)
        yield None
        async for message in source:
            if message.data:
                yield message


def _event(message: httpx2.ServerSentEvent) -> WireEvent:
    try:
        fields = json.loads(message.data)
    except ValueError as error:
        raise ProtocolError(f"the stream holds something that is not JSON ({error}).") from error
    return parse_event(fields)
