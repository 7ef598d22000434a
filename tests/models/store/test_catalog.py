"""Models of an organization: as long as there is one, exactly one is the default, whatever comes at once."""

import asyncio
import random
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from models.providers import ProviderType
from models.store import catalog, providers
from models.store.catalog import ModelExists, NewModel, ProviderNotUsable
from models.store.configuration import ModelRecord, read_model
from models.store.providers import NewProvider
from models.store.tables import organizations

BY = uuid4()


class Shop:
    """An organization with two providers."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.id = uuid4()
        self.here, self.there = uuid4(), uuid4()

    async def open(self) -> None:
        async with self.engine.begin() as conn:
            await conn.execute(insert(organizations).values(id=self.id, name=str(self.id)))
        for provider, name in ((self.here, "here"), (self.there, "there")):
            new = NewProvider(self.id, ProviderType.OPENAI, name, name)
            await providers.create_provider(self.engine, new, provider, None)

    async def add(self, model: str, *, provider: UUID | None = None, **more: Any) -> ModelRecord:
        new = NewModel(provider or self.here, model, model, 1000, **more)
        return await catalog.create_model(self.engine, self.id, new, BY)

    async def change(self, model: ModelRecord, **changes: object) -> ModelRecord | None:
        return await catalog.change_model(self.engine, self.id, model.id, changes, BY)

    async def remove(self, model: ModelRecord) -> bool:
        return await catalog.delete_model(self.engine, self.id, model.id, BY)

    async def defaults(self) -> list[str]:
        return [m.model for m in await catalog.list_models(self.engine, self.id) if m.is_default]


@pytest.fixture
async def shop(engine: AsyncEngine) -> Shop:
    shop = Shop(engine)
    await shop.open()
    return shop


async def test_the_first_model_is_the_default_and_a_new_default_demotes_the_old(shop: Shop):
    first = await shop.add("first")
    assert first.is_default
    assert not (await shop.add("second")).is_default
    assert await shop.defaults() == ["first"]
    third = await shop.add("third", is_default=True)
    assert third.is_default
    assert await shop.defaults() == ["third"]
    changed = await shop.change(first, is_default=True)
    assert changed is not None
    assert changed.is_default
    assert await shop.defaults() == ["first"]


async def test_a_demoted_default_is_followed_by_a_model_that_can_be_used(shop: Shop):
    first = await shop.add("first")
    await shop.add("off", enabled=False)
    await shop.add("behind a disabled provider", provider=shop.there)
    await providers.change_provider(shop.engine, None, shop.there, {"enabled": False})
    await shop.add("good")
    await shop.change(first, is_default=False)
    assert await shop.defaults() == ["good"]


async def test_where_none_can_be_used_any_other_follows(shop: Shop):
    first = await shop.add("first")
    await shop.add("off", enabled=False)
    await shop.remove(first)
    assert await shop.defaults() == ["off"]


async def test_a_model_that_is_alone_stays_the_default(shop: Shop):
    only = await shop.add("only")
    changed = await shop.change(only, is_default=False)
    assert changed is not None
    assert changed.is_default
    await shop.remove(only)
    assert await shop.defaults() == []
    assert (await shop.add("next")).is_default


async def test_a_deleted_model_is_kept_for_those_who_name_it_and_makes_room_for_its_like(shop: Shop):
    model = await shop.add("m")
    with pytest.raises(ModelExists):
        await shop.add("m")
    assert (await shop.add("m", provider=shop.there)).model == "m"
    assert await shop.remove(model)
    assert not await shop.remove(model)
    record = await read_model(shop.engine, model.id)
    assert record is not None
    assert record.deleted
    assert await catalog.find_model(shop.engine, shop.id, model.id) is None
    assert (await shop.add("m")).id != model.id


async def test_a_model_needs_a_provider_that_can_be_used(shop: Shop):
    other = Shop(shop.engine)
    await other.open()
    for provider in (uuid4(), other.here):
        with pytest.raises(ProviderNotUsable):
            await shop.add("m", provider=provider)
    await providers.change_provider(shop.engine, None, shop.here, {"enabled": False})
    with pytest.raises(ProviderNotUsable):
        await shop.add("m")


async def test_with_a_provider_its_models_and_keys_go_and_another_default_is_chosen(shop: Shop):
    await shop.add("first")
    await shop.add("second", provider=shop.there)
    assert await providers.delete_provider(shop.engine, [shop.id], shop.here)
    assert not await providers.delete_provider(shop.engine, [shop.id], shop.here)
    assert await shop.defaults() == ["second"]
    assert len(await catalog.list_models(shop.engine, shop.id)) == 1


async def test_models_of_another_organization_do_not_exist(shop: Shop):
    other = Shop(shop.engine)
    await other.open()
    model = await shop.add("m")
    assert await catalog.find_model(shop.engine, other.id, model.id) is None
    assert await other.change(model, enabled=False) is None
    assert not await other.remove(model)


async def test_whatever_comes_at_once_there_is_exactly_one_default(shop: Shop):
    chance = random.Random(5)
    known = [await shop.add(f"m{n}") for n in range(4)]

    async def something(number: int) -> None:
        model = chance.choice(known)
        match number % 4:
            case 0:
                known.append(await shop.add(f"new{number}", is_default=chance.random() < 0.5))
            case 1:
                await shop.change(model, is_default=chance.random() < 0.5)
            case 2:
                await shop.change(model, enabled=chance.random() < 0.5)
            case _:
                await shop.remove(model)

    for batch in range(5):
        await asyncio.gather(*(something(batch * 8 + n) for n in range(8)))
        offered = await catalog.list_models(shop.engine, shop.id)
        assert len(await shop.defaults()) == (1 if offered else 0)
