"""Models of an organization, and which one is its default."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.catalog import OfferedModel, ensure_models, find_usable
from models.store.tables import model_configs, organizations

REAL = OfferedModel("anthropic", "large", "Large", 200_000)
DEMO = OfferedModel("demo", "perdure-demo", "Demo", 1000)


@pytest.fixture
async def organization(engine: AsyncEngine) -> UUID:
    organization = uuid4()
    async with engine.begin() as conn:
        await conn.execute(insert(organizations).values(id=organization, name=str(organization)))
    return organization


async def default_of(engine: AsyncEngine, organization: UUID) -> str | None:
    async with engine.connect() as conn:
        return await conn.scalar(
            select(model_configs.c.model).where(
                model_configs.c.id == await find_usable(engine, organization, None)
            )
        )


async def test_the_first_offered_model_becomes_the_default_and_stays(engine: AsyncEngine, organization: UUID):
    await ensure_models(engine, organization, [DEMO])
    assert await default_of(engine, organization) == "perdure-demo"
    await ensure_models(engine, organization, [REAL, DEMO])
    assert await default_of(engine, organization) == "perdure-demo"
    await ensure_models(engine, organization, [])
    assert await default_of(engine, organization) == "perdure-demo"


async def test_a_default_whose_provider_is_gone_is_replaced(engine: AsyncEngine, organization: UUID):
    await ensure_models(engine, organization, [DEMO])
    await ensure_models(engine, organization, [REAL])
    assert await default_of(engine, organization) == "large"


async def test_processes_that_start_together_elect_one_default(engine: AsyncEngine, organization: UUID):
    await asyncio.gather(*(ensure_models(engine, organization, [REAL, DEMO]) for _ in range(5)))
    assert await default_of(engine, organization) == "large"


async def test_disabled_and_foreign_models_are_not_usable(engine: AsyncEngine, organization: UUID):
    await ensure_models(engine, organization, [REAL])
    model = await find_usable(engine, organization, None)
    assert model is not None
    assert await find_usable(engine, organization, model) == model
    assert await find_usable(engine, uuid4(), model) is None
    async with engine.begin() as conn:
        await conn.execute(update(model_configs).where(model_configs.c.id == model).values(enabled=False))
    assert await find_usable(engine, organization, model) is None
    assert await find_usable(engine, organization, None) is None
