"""A demo model, the official SDK that talks to it, and plain HTTP where the SDK would hide the wire."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from anthropic import AsyncAnthropic

from activities.providers.demo import DemoModel


@pytest.fixture(scope="session")
async def running_model() -> AsyncIterator[DemoModel]:
    async with DemoModel() as model:
        yield model


@pytest.fixture
async def model(running_model: DemoModel) -> AsyncIterator[DemoModel]:
    running_model.clear()
    yield running_model
    await running_model.settled()


@pytest.fixture
async def client(model: DemoModel) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=model.base_url, api_key="demo-secret", max_retries=0) as client:
        yield client


@pytest.fixture
async def http(model: DemoModel) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"x-api-key": "demo-secret", "anthropic-version": "2023-06-01"}
    async with httpx2.AsyncClient(base_url=model.base_url, headers=headers, trust_env=False) as http:
        yield http
