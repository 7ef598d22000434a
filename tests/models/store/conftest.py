"""Chats of their own owner and organization."""

from uuid import uuid4

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.tables import model_configs, organizations, users
from tests.models.store.rows import ChatRows


@pytest.fixture
async def chat(engine: AsyncEngine) -> ChatRows:
    organization, owner, model = uuid4(), uuid4(), uuid4()
    async with engine.begin() as conn:
        await conn.execute(insert(organizations).values(id=organization, name=str(organization)))
        await conn.execute(insert(users).values(id=owner, organization_id=organization, username=str(owner)))
        await conn.execute(
            insert(model_configs).values(
                id=model,
                organization_id=organization,
                provider="demo",
                model="perdure-demo",
                display_name="d",
                context_limit=1000,
            )
        )
    return ChatRows(engine, owner, model)
