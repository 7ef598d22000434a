"""From a chat to a client: every reason not to call is found before any request, and changes hold at once."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select, update

from activities.providers.demo import script_block
from activities.providers.directory import ProviderDirectory
from activities.providers.pool import ClientPool
from activities.providers.protocol import ModelCallError, ModelProvider
from activities.providers.registry import FACTORIES, Endpoint
from models.failures import FailureKind
from models.providers import Dialect, KeyPolicy, Preset, ProviderType
from models.store import catalog, providers
from models.store.catalog import NewModel
from models.store.configuration import provider_secret, user_secret
from models.store.providers import NewProvider
from models.store.tables import ai_providers, chats, compaction_thresholds, memberships, model_configs
from runtime.configuration import ChangeKind
from runtime.configuration.keys import KeyRing
from runtime.presets import Surroundings
from runtime.secrets import MasterKeys, new_master_key
from tests.activities.bench import Bench

WORDS = "one two three"


class Office:
    """An administrator of the bench's chat: a provider of its own that speaks to the demo model."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.engine = bench.chat.engine
        self.configuration = bench.directory.configuration
        self.keys = KeyRing(MasterKeys(SecretStr(new_master_key())), {})
        self.keys_used: list[str] = []
        self.clients = ClientPool({Dialect.ANTHROPIC: self._make})
        self.directory = ProviderDirectory(self.configuration, self.keys, self.clients)
        self.provider, self.model, self.organization = uuid4(), uuid4(), uuid4()

    def _make(self, endpoint: Endpoint) -> ModelProvider:
        self.keys_used.append(endpoint.api_key.get_secret_value() if endpoint.api_key else "")
        return FACTORIES[Dialect.ANTHROPIC](endpoint)

    async def open(self, policy: KeyPolicy = KeyPolicy(), key: str | None = "central") -> None:
        """The chat's model is one of a new provider."""
        async with self.engine.begin() as conn:
            found = await conn.execute(
                select(memberships.c.organization_id).where(memberships.c.user_id == self.bench.chat.owner)
            )
            self.organization = found.scalar_one()
        new = NewProvider(
            self.organization,
            ProviderType.ANTHROPIC,
            "ours",
            "Ours",
            base_url=self.bench.model.base_url,
            policy=policy,
        )
        sealed = self.keys.seal(SecretStr(key), provider_secret(self.provider)) if key else None
        await providers.create_provider(self.engine, new, self.provider, sealed)
        model = await catalog.create_model(
            self.engine, self.organization, NewModel(self.provider, "perdure-demo", "M", 1000), uuid4()
        )
        self.model = model.id
        async with self.engine.begin() as conn:
            await conn.execute(
                update(chats)
                .where(chats.c.id == self.bench.chat.chat)
                .values(last_model_config_id=self.model)
            )
        await self.configuration.changed(ChangeKind.PROVIDERS)

    async def change(self, key: str | None = None, **changes: Any) -> None:
        sealed = self.keys.seal(SecretStr(key), provider_secret(self.provider)) if key else None
        await providers.change_provider(self.engine, [self.organization], self.provider, changes, key=sealed)
        await self.configuration.changed(ChangeKind.PROVIDERS)

    async def give_user_key(self, key: str) -> None:
        user = self.bench.chat.owner
        sealed = self.keys.seal(SecretStr(key), user_secret(user, self.provider))
        await providers.set_user_key(self.engine, user, self.provider, sealed)
        await self.configuration.changed(ChangeKind.USER, user)

    async def call(self) -> dict[str, Any] | None:
        """Run the step; the chat's error, if it rests in one."""
        await self.bench.call(self.step, self.bench.models(directory=self.directory))
        return (await self.bench.chat.row())["last_error"]

    async def begin(self) -> None:
        self.step = await self.bench.begin(script_block({"text": WORDS}))


@pytest.fixture
async def office(bench: Bench) -> AsyncGenerator[Office]:
    office = Office(bench)
    await office.begin()
    yield office
    await office.clients.aclose()


async def test_a_call_is_made_with_the_stored_key_and_says_whose_chat_it_is(office: Office):
    await office.open()
    assert await office.call() is None
    (request,) = office.bench.model.requests
    assert office.keys_used == ["central"]
    assert request.headers["x-coder-chat-id"] == str(office.bench.chat.chat)
    assert request.headers["x-coder-owner-id"] == str(office.bench.chat.owner)
    assert request.headers["user-agent"].startswith("perdure/")


ALLOWED = KeyPolicy(allow_user_api_key=True)
FALLBACK = KeyPolicy(allow_user_api_key=True, allow_central_api_key_fallback=True)
USERS_ONLY = KeyPolicy(
    central_api_key_enabled=False, allow_user_api_key=True, allow_central_api_key_fallback=True
)


@pytest.mark.parametrize(
    ("policy", "user_key", "sent"),
    [
        (KeyPolicy(), "own", "central"),
        (ALLOWED, "own", "own"),
        (ALLOWED, None, None),
        (FALLBACK, "own", "own"),
        (FALLBACK, None, "central"),
        (USERS_ONLY, "own", "own"),
        (USERS_ONLY, None, None),
        (KeyPolicy(central_api_key_enabled=False), "own", None),
    ],
)
async def test_whose_key_is_used(office: Office, policy: KeyPolicy, user_key: str | None, sent: str | None):
    await office.open(policy)
    if user_key:
        await office.give_user_key(user_key)
    error = await office.call()
    assert office.keys_used == ([sent] if sent else [])
    assert len(office.bench.model.requests) == len(office.keys_used)
    assert (error or {}).get("kind") == (None if sent else "missing_key")


async def test_without_any_key_the_chat_rests_and_nothing_is_sent(office: Office):
    await office.open(key=None)
    error = await office.call()
    assert error is not None
    assert (error["kind"], error["provider"], error["retryable"]) == ("missing_key", "anthropic", False)
    assert (await office.bench.chat.row())["status"] == "error"
    assert office.bench.model.requests == []


async def test_a_disabled_provider_is_not_called_until_it_is_enabled_again(office: Office):
    await office.open()
    await office.change(enabled=False)
    error = await office.call()
    assert error is not None
    assert error["kind"] == "provider_disabled"
    assert office.bench.model.requests == []


async def test_the_key_of_the_environment_serves_where_the_row_has_none_and_a_stored_one_wins(office: Office):
    await office.open(key=None)
    async with office.engine.begin() as conn:
        await conn.execute(update(ai_providers).where(ai_providers.c.preset == "openai").values(preset=None))
        await conn.execute(
            update(ai_providers)
            .where(ai_providers.c.id == office.provider)
            .values(preset="openai", base_url=None)
        )
    await office.configuration.changed(ChangeKind.PROVIDERS)
    around = Surroundings(SecretStr("environment"), office.bench.model.base_url)
    keys = KeyRing(office.keys.master, {Preset.OPENAI: around})
    office.directory = ProviderDirectory(office.configuration, keys, office.clients)
    assert await office.call() is None
    await office.change(key="stored")
    model = await model_of(office)
    async with office.directory.calling(model, office.bench.chat.owner) as client:
        assert client.label == "anthropic"
    assert office.keys_used == ["environment", "stored"]
    async with office.engine.begin() as conn:
        await conn.execute(
            update(ai_providers).where(ai_providers.c.id == office.provider).values(preset=None)
        )


async def model_of(office: Office, model: UUID | None = None) -> Any:
    return await office.directory.model(model or office.model, office.organization, office.bench.chat.owner)


async def test_a_key_sealed_with_another_master_key_is_an_error_that_says_so(office: Office):
    await office.open()
    office.directory = ProviderDirectory(
        office.configuration,
        KeyRing(MasterKeys(SecretStr(new_master_key())), {}),
        office.clients,
    )
    error = await office.call()
    assert error is not None
    assert error["kind"] == "config"
    assert "master key" in error["detail"]
    assert office.bench.model.requests == []


async def test_a_change_leaves_the_call_in_flight_alone_and_holds_for_the_next(office: Office):
    await office.open(key="first")
    model = await model_of(office)
    async with office.directory.calling(model, office.bench.chat.owner) as old:
        await office.change(key="second")
        async with office.directory.calling(model, office.bench.chat.owner) as new:
            assert new is not old
        assert await office.call() is None
    assert office.keys_used == ["first", "second"]


async def test_a_deleted_model_is_replaced_by_the_default(office: Office):
    await office.open()
    await catalog.change_model(
        office.engine, office.organization, office.model, {"is_default": True}, uuid4()
    )
    other = office.bench.chat.model
    await catalog.delete_model(office.engine, office.organization, other, uuid4())
    await office.configuration.changed(ChangeKind.MODEL, other)
    assert (await model_of(office, other)).config_id == office.model


async def test_without_any_model_the_chat_rests_and_says_so(office: Office):
    await office.open()
    for model in (office.model, office.bench.chat.model):
        await catalog.delete_model(office.engine, office.organization, model, uuid4())
        await office.configuration.changed(ChangeKind.MODEL, model)
    error = await office.call()
    assert error is not None
    assert error["kind"] == "config"
    assert "no other" in error["message"]
    assert office.bench.model.requests == []


async def test_the_owners_threshold_beats_the_models(office: Office):
    await office.open()
    assert (await model_of(office)).compaction_threshold == 70
    async with office.engine.begin() as conn:
        await conn.execute(
            insert(compaction_thresholds).values(
                user_id=office.bench.chat.owner, model_config_id=office.model, threshold_percent=12
            )
        )
    await office.configuration.changed(ChangeKind.USER, office.bench.chat.owner)
    assert (await model_of(office)).compaction_threshold == 12


async def test_a_configuration_that_cannot_be_read_fails_its_own_model_only(office: Office):
    await office.open()
    async with office.engine.begin() as conn:
        await conn.execute(
            update(model_configs).where(model_configs.c.id == office.model).values(call_config={"heat": 1})
        )
    await office.configuration.changed(ChangeKind.MODEL, office.model)
    with pytest.raises(ModelCallError) as failed:
        await model_of(office)
    assert failed.value.failure.kind is FailureKind.CONFIG
    assert (await model_of(office, office.bench.chat.model)).model == "perdure-demo"
