"""What the environment offers, and what an administrator made of it."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from models.providers import Preset
from models.store.catalog import delete_model, list_models
from models.store.configuration import read_default_model, read_providers
from models.store.presets import OfferedModel, ensure_models
from models.store.tables import ai_providers, model_configs, organizations

REAL = OfferedModel(Preset.ANTHROPIC, "large", "Large", 200_000)
DEMO = OfferedModel(Preset.DEMO, "perdure-demo", "Demo", 1000)


@pytest.fixture
async def organization(engine: AsyncEngine) -> UUID:
    organization = uuid4()
    async with engine.begin() as conn:
        await conn.execute(insert(organizations).values(id=organization, name=str(organization)))
    return organization


async def default_of(engine: AsyncEngine, organization: UUID) -> str | None:
    default = await read_default_model(engine, organization)
    return default.model if default else None


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


async def test_a_default_of_a_provider_that_somebody_added_stays(engine: AsyncEngine, organization: UUID):
    added, model = uuid4(), uuid4()
    async with engine.begin() as conn:
        await conn.execute(
            insert(ai_providers).values(
                id=added, organization_id=organization, type="openai", name="ours", display_name="Ours"
            )
        )
        await conn.execute(
            insert(model_configs).values(
                id=model,
                organization_id=organization,
                ai_provider_id=added,
                model="m",
                display_name="M",
                context_limit=1,
                is_default=True,
            )
        )
    await ensure_models(engine, organization, [REAL])
    assert await default_of(engine, organization) == "m"


async def test_processes_that_start_together_elect_one_default(engine: AsyncEngine, organization: UUID):
    await asyncio.gather(*(ensure_models(engine, organization, [REAL, DEMO]) for _ in range(5)))
    assert await default_of(engine, organization) == "large"
    assert len(await list_models(engine, organization)) == 2
    presets = [p.preset for p in (await read_providers(engine)).values() if p.preset]
    assert len(presets) == len(set(presets))


async def test_a_deleted_model_is_not_offered_again_at_the_next_start(
    engine: AsyncEngine, organization: UUID
):
    await ensure_models(engine, organization, [REAL, DEMO])
    large = next(m for m in await list_models(engine, organization) if m.model == "large")
    assert await delete_model(engine, organization, large.id, uuid4())
    await ensure_models(engine, organization, [REAL, DEMO])
    assert [m.model for m in await list_models(engine, organization)] == ["perdure-demo"]
    assert await default_of(engine, organization) == "perdure-demo"


async def test_what_an_administrator_changed_stays(engine: AsyncEngine, organization: UUID):
    await ensure_models(engine, organization, [REAL])
    async with engine.begin() as conn:
        await conn.execute(
            update(model_configs)
            .where(model_configs.c.organization_id == organization)
            .values(enabled=False, compression_threshold=11, call_config={"temperature": 0.5})
        )
    await ensure_models(engine, organization, [OfferedModel(Preset.ANTHROPIC, "large", "Larger", 300_000)])
    async with engine.connect() as conn:
        row = (
            await conn.execute(select(model_configs).where(model_configs.c.organization_id == organization))
        ).one()
    assert (row.enabled, row.compression_threshold, row.call_config) == (False, 11, {"temperature": 0.5})
    assert (row.display_name, row.context_limit) == ("Larger", 300_000)
