"""Configuration in several processes: read rarely, and changed everywhere at once."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.stack import Stack
from models.providers import KeyPolicy, ProviderType
from models.store import catalog, providers
from models.store.catalog import NewModel
from models.store.configuration import StoredSecret, user_secret
from models.store.providers import NewProvider
from models.store.tables import ai_providers, compaction_thresholds, memberships, model_configs
from runtime.configuration import ChangeKind, Configuration
from runtime.redis import open_blocking_redis, open_redis
from tests.models.store.rows import new_chat


class Counted:
    """Counts the statements of an engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.statements: list[str] = []
        event.listen(engine.sync_engine, "before_cursor_execute", self._note)
        self._engine = engine

    def _note(self, *arguments: object) -> None:
        self.statements.append(str(arguments[2]))

    def stop(self) -> None:
        event.remove(self._engine.sync_engine, "before_cursor_execute", self._note)


@asynccontextmanager
async def process(engine: AsyncEngine, stack: Stack) -> AsyncGenerator[Configuration]:
    """Configuration as one process has it, listening."""
    redis = open_redis(stack.redis_url)
    ears = open_blocking_redis(stack.redis_url, block_seconds=20)
    configuration = Configuration(engine, redis, ears)
    running = asyncio.create_task(configuration.run())
    try:
        yield configuration
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await ears.aclose()
        await redis.aclose()


async def organization_of(engine: AsyncEngine) -> tuple[UUID, UUID, UUID]:
    """An organization, its user, its default model."""
    chat = await new_chat(engine)
    async with engine.connect() as conn:
        organization = await conn.scalar(
            select(memberships.c.organization_id).where(memberships.c.user_id == chat.owner)
        )
    assert organization is not None
    return organization, chat.owner, chat.model


@pytest.fixture
async def counted(engine: AsyncEngine) -> AsyncGenerator[Counted]:
    counted = Counted(engine)
    yield counted
    counted.stop()


async def until_equal(read: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Wait for a value that another process changes; a second is what a hot reload may take."""
    async with asyncio.timeout(1):
        while await read() != wanted:  # noqa: ASYNC110 - what happens elsewhere sets no event here
            await asyncio.sleep(0.01)


async def test_a_hundred_turns_cost_a_query_for_each_thing_they_need(
    engine: AsyncEngine, stack: Stack, counted: Counted
):
    organization, user, model = await organization_of(engine)
    async with process(engine, stack) as configuration:
        await configuration.providers()  # the channel may be subscribed only now, which forgets once
        await asyncio.sleep(0)
        counted.statements.clear()

        async def turn() -> None:
            await configuration.model(model)
            await configuration.default_model(organization)
            await configuration.preferences(user)
            await configuration.user_keys(user)

        for _ in range(10):
            await asyncio.gather(*(turn() for _ in range(10)))
    assert len(counted.statements) <= 8, counted.statements


async def test_users_keys_are_read_only_where_a_provider_would_use_one(
    engine: AsyncEngine, stack: Stack, counted: Counted
):
    organization, user, _ = await organization_of(engine)
    provider = uuid4()
    async with process(engine, stack) as configuration:
        new = NewProvider(
            organization,
            ProviderType.OPENAI,
            "own",
            "Own",
            policy=KeyPolicy(allow_user_api_key=True),
            enabled=False,
        )
        await providers.create_provider(engine, new, provider, None)
        await providers.set_user_key(
            engine, user, provider, StoredSecret(b"sealed", "id", user_secret(user, provider))
        )
        await configuration.changed(ChangeKind.PROVIDERS)
        allowing = [
            p for p in (await configuration.providers()).values() if p.policy.allow_user_api_key and p.enabled
        ]
        if not allowing:
            assert await configuration.user_keys(user) == {}
            assert not [s for s in counted.statements if "FROM user_ai_provider_keys" in s]
        await providers.change_provider(engine, [organization], provider, {"enabled": True})
        await configuration.changed(ChangeKind.PROVIDERS)
        assert list(await configuration.user_keys(user)) == [provider]


async def test_what_is_given_away_cannot_be_changed(engine: AsyncEngine, stack: Stack):
    organization, user, _ = await organization_of(engine)
    async with process(engine, stack) as configuration:
        given: list[Any] = [
            await configuration.providers(),
            await configuration.overrides(organization),
            (await configuration.preferences(user)).thresholds,
        ]
        for mapping in given:
            with pytest.raises(TypeError):
                mapping[uuid4()] = None
        default: Any = await configuration.default_model(organization)
        with pytest.raises(AttributeError):
            default.enabled = False


async def test_a_change_in_one_process_is_seen_in_another_within_a_second(engine: AsyncEngine, stack: Stack):
    organization, user, model = await organization_of(engine)
    async with process(engine, stack) as here, process(engine, stack) as there:

        async def default() -> UUID | None:
            found = await there.default_model(organization)
            return found.id if found else None

        async def enabled() -> bool | None:
            found = await there.model(model)
            return found.enabled if found else None

        async def threshold() -> int | None:
            return (await there.preferences(user)).thresholds.get(model)

        async def provider_name() -> str:
            found = await there.model(model)
            assert found is not None
            return (await there.providers())[found.provider_id].display_name

        assert (await default(), await enabled(), await threshold()) == (model, True, None)
        name = await provider_name()

        second = await catalog.create_model(
            engine,
            organization,
            NewModel(next(iter(await here.providers())), "second", "Second", 10, is_default=True),
            user,
        )
        await here.changed(ChangeKind.MODEL, second.id)
        await until_equal(default, second.id)

        await catalog.change_model(engine, organization, model, {"enabled": False}, user)
        await here.changed(ChangeKind.MODEL, model)
        await until_equal(enabled, False)

        async with engine.begin() as conn:
            await conn.execute(
                insert(compaction_thresholds).values(
                    user_id=user, model_config_id=model, threshold_percent=33
                )
            )
        await here.changed(ChangeKind.USER, user)
        await until_equal(threshold, 33)

        async with engine.begin() as conn:
            await conn.execute(
                update(ai_providers).where(ai_providers.c.preset == "demo").values(display_name=f"{name}!")
            )
        await here.changed(ChangeKind.PROVIDERS)
        await until_equal(provider_name, f"{name}!")
        async with engine.begin() as conn:
            await conn.execute(
                update(ai_providers).where(ai_providers.c.preset == "demo").values(display_name=name)
            )


async def test_without_redis_changes_are_seen_here_at_once_and_elsewhere_when_values_are_old(
    engine: AsyncEngine,
):
    *_, model = await organization_of(engine)
    nowhere = open_redis("redis://127.0.0.1:1/0")
    ears = open_blocking_redis("redis://127.0.0.1:1/0", block_seconds=1)
    configuration = Configuration(engine, nowhere, ears)
    running = asyncio.create_task(configuration.run())
    before = await configuration.model(model)
    async with engine.begin() as conn:
        await conn.execute(update(model_configs).where(model_configs.c.id == model).values(enabled=False))
    assert await configuration.model(model) is before
    await configuration.changed(ChangeKind.MODEL, model)
    after = await configuration.model(model)
    assert after is not None
    assert not after.enabled
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await ears.aclose()
    await nowhere.aclose()


async def test_a_row_that_makes_no_sense_concerns_itself_only(engine: AsyncEngine, stack: Stack):
    organization, _, model = await organization_of(engine)
    broken = uuid4()
    async with engine.begin() as conn:
        await conn.execute(
            insert(ai_providers).values(
                id=broken,
                organization_id=organization,
                type="openai",
                name="broken",
                display_name="B",
                settings={"regoin": "eu"},
            )
        )
        await conn.execute(
            update(model_configs).where(model_configs.c.id == model).values(call_config={"temperature": 99})
        )
    async with process(engine, stack) as configuration:
        known = await configuration.providers()
        assert known[broken].broken is not None
        assert [p for p in known.values() if p.preset and p.broken] == []
        record = await configuration.model(model)
        assert record is not None
        assert record.config is None
