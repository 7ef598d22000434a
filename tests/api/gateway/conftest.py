"""An organization whose providers are a vendor of the test's own, and the demo model."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from activities.providers.demo import DemoModel
from models.permissions import Role
from tests.activities.providers.vendor import Vendor
from tests.api.conftest import Door
from tests.api.served import Body, Person, person

KEY = "sk-the-key-of-the-deployment"


@dataclass
class Gateway:
    """The gateway of one organization, with an administrator of it."""

    door: Door
    admin: Person
    vendor: Vendor

    @property
    def url(self) -> str:
        return f"{self.door.served.url}/api/v2/aibridge"

    def http(self, token: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """A client of one who sends the token as Anthropic's clients do."""
        token = self.door.owner.token if token is None else token
        return httpx2.AsyncClient(base_url=self.url, headers={"x-api-key": token, **headers}, timeout=20)

    async def add(self, provider_type: str, base_url: str, **more: Any) -> Body:
        """A new provider of the organization."""
        body: Body = {
            "type": provider_type,
            "name": f"p-{uuid4().hex[:8]}",
            "organization_id": str(self.door.organization),
            "base_url": base_url,
            "api_key": KEY,
            **more,
        }
        answer = await self.admin.http.post("/ai-providers", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def ended_calls(self) -> list[Body]:
        """The owner's calls, newest first, once all of them are over. A caller may be gone before its call is
        written down."""
        async with asyncio.timeout(10):
            while True:
                calls = await self.calls()
                if all(call["outcome"] is not None for call in calls):
                    return calls
                await asyncio.sleep(0.02)

    async def calls(self, reader: Person | None = None, /, **wanted: str | int) -> list[Body]:
        """The calls that somebody sees, newest first."""
        whose = reader or self.door.owner
        answer = await whose.http.get("/aibridge/interceptions", params=wanted)
        assert answer.status_code == 200, answer.text
        return answer.json()["interceptions"]


@pytest.fixture
async def vendor() -> AsyncGenerator[Vendor]:
    async with Vendor() as vendor:
        yield vendor


@pytest.fixture
async def gateway(door: Door, vendor: Vendor) -> AsyncGenerator[Gateway]:
    async with person(door.engine, door.served.url, door.organization, "Ann", role=Role.ADMIN) as admin:
        yield Gateway(door, admin, vendor)


@pytest.fixture(scope="session")
async def running_model() -> AsyncGenerator[DemoModel]:
    async with DemoModel() as model:
        yield model


@pytest.fixture
async def model(running_model: DemoModel) -> AsyncGenerator[DemoModel]:
    running_model.clear()
    yield running_model
    await running_model.settled()
