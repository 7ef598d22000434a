"""Reading a chat's stream for as long as somebody wants to, over as many connections as that takes."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

import httpx2

from cli.client.errors import ClientError, NoServer, Refused
from cli.client.novelty import Novelty
from cli.client.shapes import Event

_GIVE_UP_SECONDS = 300.0
_BACKOFF_SECONDS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0)
_MAX_EVENT_BYTES = 16 << 20  # an event may hold a whole message
# a server says something at least every 15 s
_TIMEOUT = httpx2.Timeout(10.0, read=45.0)


@dataclass(frozen=True)
class LinkLost:
    """The connection broke; it is being made again. Whatever was missed follows."""

    reason: str


async def follow(
    http: httpx2.AsyncClient, path: str, after_id: int | None = None
) -> AsyncGenerator[Event | LinkLost]:
    """The events of a stream, each once, across lost connections.

    Args:
        http: Brings the server's address and the token.
        path: Of the stream.
        after_id: Messages up to this one are known already.

    Yields:
        Events, and `LinkLost` once per connection that broke.

    Raises:
        Refused: There is no such chat, or the token is not valid.
        NoServer: Nobody has answered for five minutes.
        ClientError: What came is no stream of events.
    """
    novelty = Novelty()
    params = {} if after_id is None else {"after_id": str(after_id)}
    position: str | None = None
    failures, heard, told = 0, time.monotonic(), False
    while True:
        reason: str | None = None
        try:
            async for message in _connection(http, path, params, position):
                failures, heard, told = 0, time.monotonic(), False
                for new in novelty.filter(_event(message)):
                    yield new
                position = message.id or position
        except httpx2.TransportError as error:
            reason = str(error) or type(error).__name__
        except Refused as refused:
            if refused.status < 500 and refused.status != 429:
                raise
            reason = refused.message
        if reason and not told:
            told = True
            yield LinkLost(reason)
        if time.monotonic() - heard > _GIVE_UP_SECONDS:
            raise NoServer(f"{http.base_url} has not answered for five minutes ({reason}). The chat is kept.")
        await asyncio.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
        failures += 1


async def _connection(
    http: httpx2.AsyncClient, path: str, params: Mapping[str, str], position: str | None
) -> AsyncGenerator[httpx2.ServerSentEvent]:
    headers = {} if position is None else {"Last-Event-ID": position}
    async with http.sse(
        path, params=params, headers=headers, timeout=_TIMEOUT, max_event_size=_MAX_EVENT_BYTES
    ) as source:
        if source.response.status_code != 200:
            raise Refused.from_body(source.response.status_code, await source.response.aread())
        async for message in source:
            if message.data:
                yield message


def _event(message: httpx2.ServerSentEvent) -> Event:
    try:
        return json.loads(message.data)
    except ValueError as error:
        raise ClientError(f"the stream holds something that is not JSON ({error}).") from error
