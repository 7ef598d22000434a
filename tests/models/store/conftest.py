"""Chats of their own owner and organization."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.models.store.rows import ChatRows, new_chat


@pytest.fixture
async def chat(engine: AsyncEngine) -> ChatRows:
    return await new_chat(engine)
