"""Clients of endpoints: one per endpoint, swapped under the calls without hurting them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import pytest
from pydantic import SecretStr

from activities.providers.pool import IDLE_SECONDS, ClientPool, Slot
from activities.providers.protocol import ModelCallError, ModelEvent, ModelRequest
from activities.providers.registry import Endpoint
from models.failures import FailureKind
from models.providers import Dialect, ProviderSettings, ProviderType


class Client:
    """An adapter that only knows whether it was closed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.label = endpoint.label
        self.closed = asyncio.Event()

    def stream(self, request: ModelRequest) -> AbstractAsyncContextManager[AsyncIterator[ModelEvent]]:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.closed.set()


class Made:
    """A pool, and the clients it has made."""

    def __init__(self, most: int = 10) -> None:
        self.clients: list[Client] = []
        self.now = 0.0
        self.pool = ClientPool({Dialect.ANTHROPIC: self._make}, most=most, clock=lambda: self.now)

    def _make(self, endpoint: Endpoint) -> Client:
        if endpoint.base_url == "broken":
            raise ValueError("no address")
        self.clients.append(Client(endpoint))
        return self.clients[-1]


def slot() -> Slot:
    return Slot(uuid4(), None, Dialect.ANTHROPIC)


def endpoint(key: str = "k1", base_url: str | None = None) -> Endpoint:
    return Endpoint(ProviderType.ANTHROPIC, "anthropic", base_url, SecretStr(key), ProviderSettings())


async def test_calls_on_one_endpoint_share_a_client():
    made, here = Made(), slot()
    async with made.pool.lease(here, endpoint()) as first, made.pool.lease(here, endpoint()) as second:
        assert first is second
    async with made.pool.lease(here, endpoint()) as third:
        assert third is first
    assert len(made.clients) == 1


async def test_a_change_concerns_the_next_call_and_the_old_client_is_closed_behind_the_last():
    made, here = Made(), slot()
    async with made.pool.lease(here, endpoint("k1")) as old:
        async with made.pool.lease(here, endpoint("k1")):
            async with made.pool.lease(here, endpoint("k2")) as new:
                assert new is not old
            assert not made.clients[0].closed.is_set()
        assert not made.clients[0].closed.is_set(), "one call is still on it"
    async with asyncio.timeout(1):
        await made.clients[0].closed.wait()
    assert not made.clients[1].closed.is_set()


async def test_an_endpoint_of_which_no_client_can_be_made_leaves_the_old_one_in_place():
    made, here = Made(), slot()
    async with made.pool.lease(here, endpoint("k1")):
        pass
    with pytest.raises(ValueError, match="no address"):
        async with made.pool.lease(here, endpoint("k1", base_url="broken")):
            pass
    async with made.pool.lease(here, endpoint("k1")):
        pass
    assert len(made.clients) == 1


async def test_an_interface_without_an_adapter_is_a_failure_of_configuration():
    made = Made()
    with pytest.raises(ModelCallError) as failed:
        async with made.pool.lease(Slot(uuid4(), None, Dialect.BEDROCK), endpoint()):
            pass
    assert failed.value.failure.kind is FailureKind.CONFIG


async def test_users_with_their_own_keys_have_their_own_clients():
    made, provider = Made(), uuid4()
    for user in (uuid4(), uuid4()):
        async with made.pool.lease(Slot(provider, user, Dialect.ANTHROPIC), endpoint(str(user))):
            pass
    assert len(made.clients) == 2
    assert not any(client.closed.is_set() for client in made.clients)


async def test_there_are_never_many_idle_clients_and_never_old_ones():
    made = Made(most=3)
    slots = [slot() for _ in range(5)]
    for here in slots:
        async with made.pool.lease(here, endpoint()):
            pass
    await asyncio.gather(*(asyncio.wait_for(client.closed.wait(), 1) for client in made.clients[:2]))
    assert not any(client.closed.is_set() for client in made.clients[2:])
    made.now = IDLE_SECONDS + 1
    async with made.pool.lease(slots[4], endpoint()):
        pass
    await asyncio.gather(*(asyncio.wait_for(client.closed.wait(), 1) for client in made.clients[2:4]))
    assert not made.clients[4].closed.is_set()


async def test_closing_closes_all():
    made = Made()
    for _ in range(3):
        async with made.pool.lease(slot(), endpoint()):
            pass
    await made.pool.aclose()
    assert all(client.closed.is_set() for client in made.clients)
