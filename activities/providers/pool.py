"""Clients of endpoints, kept while they are of use.

There is one client per provider, user and interface at a time. When its endpoint changes, the next call gets
a new one; calls in flight end on the old one, which is closed behind the last of them.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog

from activities.providers.failures import provider_failure
from activities.providers.protocol import ModelCallError, ModelProvider
from activities.providers.registry import Endpoint, Factory
from models.failures import FailureKind
from models.providers import Dialect

log = structlog.get_logger(__name__)

IDLE_SECONDS = 600.0
"""A client that nobody has used for this long is closed."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Which client: one per provider and interface, and one per user where users bring their keys."""

    provider_id: UUID
    user_id: UUID | None
    dialect: Dialect


@dataclass(slots=True, eq=False)
class _Client:
    provider: ModelProvider
    endpoint: Endpoint
    used_at: float
    calls: int = 0
    retired: bool = False


class ClientPool:
    """At most `most` clients that are idle, and those that are in use."""

    def __init__(
        self,
        factories: Mapping[Dialect, Factory],
        *,
        most: int = 200,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._factories = factories
        self._most = most
        self._clock = clock
        self._clients: OrderedDict[Slot, _Client] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def lease(self, slot: Slot, endpoint: Endpoint) -> AsyncGenerator[ModelProvider]:
        """The client of a slot for one call, made anew if it was made for another endpoint.

        Raises:
            ModelCallError: there is no adapter for it, or none can be made of this endpoint.
        """
        client = self._client(slot, endpoint)
        client.calls += 1
        try:
            yield client.provider
        finally:
            client.calls -= 1
            client.used_at = self._clock()
            self._close_if_done(client)
            self._let_go()

    async def aclose(self) -> None:
        """Close all clients; calls on them fail."""
        for client in self._clients.values():
            self._close(client)
        self._clients.clear()
        await asyncio.gather(*self._closing)

    def _client(self, slot: Slot, endpoint: Endpoint) -> _Client:
        client = self._clients.get(slot)
        if client is None or client.endpoint != endpoint:
            made = _Client(self._make(slot.dialect, endpoint), endpoint, self._clock())
            if client is not None:
                self._retire(client)
            client = self._clients[slot] = made
        self._clients.move_to_end(slot)
        return client

    def _make(self, dialect: Dialect, endpoint: Endpoint) -> ModelProvider:
        factory = self._factories.get(dialect)
        if factory is None:
            detail = f"This version has no adapter for {dialect}."
            raise ModelCallError(provider_failure(FailureKind.CONFIG, endpoint.label, detail=detail))
        return factory(endpoint)

    def _let_go(self) -> None:
        """Retire clients that were used long ago, and the oldest where there are too many."""
        while self._clients:
            slot, oldest = next(iter(self._clients.items()))
            stale = self._clock() - oldest.used_at > IDLE_SECONDS
            if oldest.calls or not (stale or len(self._clients) > self._most):
                return
            del self._clients[slot]
            self._retire(oldest)

    def _retire(self, client: _Client) -> None:
        client.retired = True
        self._close_if_done(client)

    def _close_if_done(self, client: _Client) -> None:
        if client.retired and client.calls == 0:
            self._close(client)

    def _close(self, client: _Client) -> None:
        task = asyncio.create_task(_closed(client.provider))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _closed(provider: ModelProvider) -> None:
    try:
        await provider.aclose()
    except Exception as error:  # noqa: BLE001
        log.warning("a client could not be closed", provider=provider.label, error=type(error).__name__)
