"""A whole Perdure with the client at it; the tests hold the model in their hands."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

import pytest

from cli.stack import Stack
from perdure.client import Perdure
from tests.activities.providers.request_rules.checked import CheckedModel
from tests.durable.processes import whole_perdure
from tests.perdure.proxy import Proxy, proxy


@pytest.fixture(scope="package")
async def model() -> AsyncGenerator[CheckedModel]:
    async with CheckedModel() as model:
        yield model


@pytest.fixture(scope="package")
async def whole(tmp_path_factory: pytest.TempPathFactory, model: CheckedModel) -> AsyncGenerator[Stack]:
    """A stack whose parts a test may kill and start; it leaves all of them running."""
    async with Stack(whole_perdure(tmp_path_factory.mktemp("client"), model.base_url)) as stack:
        yield stack


@pytest.fixture
async def perdure(whole: Stack, model: CheckedModel) -> AsyncGenerator[Perdure]:
    assert whole.token
    # a test before this one may have killed the API
    async with Perdure(whole.api_url, whole.token, patience_seconds=20) as client:
        yield client
    model.clear()


@pytest.fixture
def another(whole: Stack) -> AbstractAsyncContextManager[Perdure]:
    """A second client, as a second program has it."""
    assert whole.token
    return Perdure(whole.api_url, whole.token)


@pytest.fixture
async def wire(whole: Stack) -> AsyncGenerator[Proxy]:
    """A way to the API that a test can cut."""
    async with proxy(whole.api_url) as running:
        yield running
