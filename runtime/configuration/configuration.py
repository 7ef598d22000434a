"""What this process knows of providers, models and preferences (spec chat-loop.md 3.7)."""

from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from models.deployment import Setting, SettingName, name_of
from models.store import configuration as rows
from models.store.catalog import list_models
from models.store.configuration import ModelRecord, Override, Preferences, ProviderRecord, StoredSecret
from models.store.deployment import read_settings
from models.store.model_access import read_let_in
from runtime.configuration.changes import Change, ChangeKind, heed, tell
from runtime.configuration.remembered import Remembered

CATALOG_SECONDS = 10.0
"""A change that nobody told of is seen after this long."""

PREFERENCES_SECONDS = 5.0

S = TypeVar("S", bound=Setting)


class Configuration:
    """Configuration behind a cache. Everything it gives away is frozen, and may be kept for one call.

    `run` has to run beside it for changes made elsewhere to be seen at once; without it, or without Redis,
    they are seen when what is remembered becomes too old.
    """

    def __init__(self, engine: AsyncEngine, redis: Redis, ears: Redis) -> None:
        """Prepare; nothing is read.

        Args:
            redis: tells the others of changes.
            ears: a client for blocking reads, to hear of theirs.
        """
        self._redis = redis
        self._ears = ears

        async def all_providers(key: None) -> Mapping[UUID, ProviderRecord]:
            return await rows.read_providers(engine)

        async def model(key: UUID) -> ModelRecord | None:
            return await rows.read_model(engine, key)

        async def default(key: UUID) -> ModelRecord | None:
            return await rows.read_default_model(engine, key)

        async def models_of(key: UUID) -> tuple[ModelRecord, ...]:
            return tuple(await list_models(engine, key))

        async def overrides(key: UUID) -> Mapping[str, Override]:
            return await rows.read_overrides(engine, key)

        async def preferences(key: UUID) -> Preferences:
            return await rows.read_preferences(engine, key)

        async def user_keys(key: UUID) -> Mapping[UUID, StoredSecret]:
            return await rows.read_user_keys(engine, key)

        async def let_in(key: UUID) -> frozenset[UUID]:
            return await read_let_in(engine, key)

        async def settings(key: None) -> Mapping[SettingName, Setting]:
            return await read_settings(engine)

        async def named(key: tuple[UUID, UUID, str]) -> ModelRecord | None:
            return await rows.read_named_model(engine, *key)

        self._settings = Remembered(settings, seconds=CATALOG_SECONDS)
        self._providers = Remembered(all_providers, seconds=CATALOG_SECONDS)
        self._models = Remembered(model, seconds=CATALOG_SECONDS)
        self._named = Remembered(named, seconds=CATALOG_SECONDS)
        self._defaults = Remembered(default, seconds=CATALOG_SECONDS)
        self._models_of = Remembered(models_of, seconds=CATALOG_SECONDS)
        self._overrides = Remembered(overrides, seconds=CATALOG_SECONDS)
        self._preferences = Remembered(preferences, seconds=PREFERENCES_SECONDS)
        self._user_keys = Remembered(user_keys, seconds=PREFERENCES_SECONDS)
        self._let_in = Remembered(let_in, seconds=PREFERENCES_SECONDS)

    async def providers(self) -> Mapping[UUID, ProviderRecord]:
        """All providers, disabled ones included, by id in order of their making."""
        return await self._providers.get(None)

    async def model(self, model_config_id: UUID) -> ModelRecord | None:
        """A model, deleted ones included."""
        return await self._models.get(model_config_id)

    async def default_model(self, organization_id: UUID) -> ModelRecord | None:
        """The default of an organization, whether it is enabled or not."""
        return await self._defaults.get(organization_id)

    async def named_model(self, organization_id: UUID, provider_id: UUID, name: str) -> ModelRecord | None:
        """The model that an organization has of a provider under the vendor's name; None: it has it not."""
        return await self._named.get((organization_id, provider_id, name))

    async def lets_use(self, model: ModelRecord, user_id: UUID) -> bool:
        """Whether a user may use a model of their organization. Nothing is read for one that is everybody's.
        Who joins a group, or becomes a manager, is seen after a few seconds."""
        return model.everyone or model.id in await self._let_in.get(user_id)

    async def models_of(self, organization_id: UUID) -> tuple[ModelRecord, ...]:
        """The models of an organization, disabled ones included, in order of their making."""
        return await self._models_of.get(organization_id)

    async def overrides(self, organization_id: UUID) -> Mapping[str, Override]:
        """The models an organization uses for single purposes, by context."""
        return await self._overrides.get(organization_id)

    async def setting(self, kind: type[S]) -> S:
        """A setting of the deployment."""
        found = (await self._settings.get(None))[name_of(kind)]
        assert isinstance(found, kind)
        return found

    async def preferences(self, user_id: UUID) -> Preferences:
        """What a user set."""
        return await self._preferences.get(user_id)

    async def user_keys(self, user_id: UUID) -> Mapping[UUID, StoredSecret]:
        """A user's own keys by provider. Read only if there is a provider that would use one."""
        providers = (await self.providers()).values()
        if not any(provider.enabled and provider.policy.allow_user_api_key for provider in providers):
            return {}
        return await self._user_keys.get(user_id)

    async def changed(self, kind: ChangeKind, changed_id: UUID | None = None) -> None:
        """A change was committed: forget what it made old, here and everywhere."""
        change = Change(kind=kind, id=changed_id)
        self._forget(change)
        await tell(self._redis, change)

    async def run(self) -> None:
        """Hear of changes until cancelled."""
        await heed(self._ears, self._forget, self._forget_all)

    def _forget(self, change: Change) -> None:
        match change:
            case Change(kind=ChangeKind.PROVIDERS):
                self._providers.drop_all()
                self._named.drop_all()
                self._defaults.drop_all()
                self._models_of.drop_all()
                self._user_keys.drop_all()
            case Change(kind=ChangeKind.MODEL, id=UUID() as model):
                self._models.drop(model)
                self._named.drop_all()
                self._let_in.drop_all()
                self._defaults.drop_all()
                self._models_of.drop_all()
                self._overrides.drop_all()
            case Change(kind=ChangeKind.OVERRIDES, id=UUID() as organization):
                self._overrides.drop(organization)
            case Change(kind=ChangeKind.SETTINGS):
                self._settings.drop_all()
            case Change(kind=ChangeKind.USER, id=UUID() as user):
                self._preferences.drop(user)
                self._user_keys.drop(user)
            case _:
                self._forget_all()

    def _forget_all(self) -> None:
        for remembered in (
            self._providers,
            self._models,
            self._named,
            self._defaults,
            self._models_of,
            self._overrides,
            self._preferences,
            self._user_keys,
            self._let_in,
            self._settings,
        ):
            remembered.drop_all()
