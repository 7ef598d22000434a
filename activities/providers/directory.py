"""From a chat's model to a client that can call it: configuration, whose key, which adapter.

Everything that makes a call impossible is found out here, before any request: a model that is gone, a
provider that is disabled, a key that is missing or cannot be opened (spec chat-loop.md 3.1, 3.2, 3.8).
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog
from pydantic import SecretStr

from activities.providers.failures import provider_failure
from activities.providers.pool import ClientPool, Slot
from activities.providers.protocol import ModelCallError, ModelProvider
from activities.providers.registry import Endpoint
from models.chat_model import ChatModel
from models.compaction import NEVER_PERCENT
from models.failures import Failure, FailureKind
from models.model_options import CallConfig
from models.providers import KeyChoice, dialect_of
from models.store.configuration import ProviderRecord
from runtime.configuration import Configuration
from runtime.configuration.keys import KeyRing, UserKeys
from runtime.known_models import prices_in_effect
from runtime.secrets import SecretsError

log = structlog.get_logger(__name__)

_UNKNOWN_CONTEXT = 100_000
"""Tokens, of a model that nobody has configured: more than a check of it takes."""


@dataclass(frozen=True, slots=True)
class ProviderDirectory:
    """The models this worker can call."""

    configuration: Configuration
    keys: KeyRing
    clients: ClientPool

    async def model(self, model_config_id: UUID, organization_id: UUID, owner_id: UUID) -> ChatModel:
        """The model of a chat; the organization's default in place of one that was deleted.

        Raises:
            ModelCallError: there is none that could be called.
        """
        record = await self.configuration.model(model_config_id)
        if record is None or record.deleted:
            record = await self.configuration.default_model(organization_id)
            if record is None:
                raise _no_model("Its model was deleted, and the organization has no other.")
        provider = (await self.configuration.providers()).get(record.provider_id)
        if provider is None:
            raise _no_model("The provider of its model was deleted.")
        if record.config is None:
            raise _unusable(provider, "What is stored of the model's configuration cannot be read.")
        preferences = await self.configuration.preferences(owner_id)
        return ChatModel(
            record.id,
            provider.id,
            provider.label,
            provider.type,
            record.model,
            record.context_limit,
            preferences.thresholds.get(record.id, record.compression_threshold),
            record.config,
            prices_in_effect(provider.type, record.model, record.config),
        )

    async def model_of_provider(
        self, provider_id: UUID, model: str, model_config_id: UUID | None
    ) -> ChatModel:
        """A model of a provider, configured or not, for a call that belongs to no chat.

        Raises:
            ModelCallError: the provider is gone.
        """
        provider = (await self.configuration.providers()).get(provider_id)
        if provider is None:
            raise ModelCallError(provider_failure(FailureKind.PROVIDER_DISABLED, "provider"))
        record = await self.configuration.model(model_config_id) if model_config_id else None
        config = record.config if record and record.config else CallConfig()
        limit = record.context_limit if record else _UNKNOWN_CONTEXT
        return ChatModel(
            model_config_id or provider_id,
            provider.id,
            provider.label,
            provider.type,
            model,
            limit,
            NEVER_PERCENT,
            config,
            prices_in_effect(provider.type, model, config),
        )

    async def user_prompt(self, owner_id: UUID) -> str | None:
        """What the owner of a chat wants every model to know; most want nothing."""
        return (await self.configuration.preferences(owner_id)).custom_prompt

    @asynccontextmanager
    async def calling(self, model: ChatModel, owner_id: UUID) -> AsyncGenerator[ModelProvider]:
        """A client for one call of a model, on behalf of a user. Configuration that changes meanwhile
        concerns the next call.

        Raises:
            ModelCallError: on entering, before any request: the provider is disabled, there is no key.
        """
        provider = (await self.configuration.providers()).get(model.provider_id)
        if provider is None or not provider.enabled:
            raise ModelCallError(provider_failure(FailureKind.PROVIDER_DISABLED, model.provider))
        if provider.broken is not None:
            raise _unusable(provider, f"The provider {provider.name} cannot be used: {provider.broken}.")
        user_keys = await self.configuration.user_keys(owner_id)
        choice = self.keys.choice(provider, user_keys)
        if choice is KeyChoice.MISSING:
            raise ModelCallError(provider_failure(FailureKind.MISSING_KEY, model.provider))
        endpoint = Endpoint(
            provider.type,
            provider.label,
            self.keys.base_url_of(provider),
            self._key(provider, user_keys),
            provider.settings,
            account=str(provider.id),
        )
        user = owner_id if choice is KeyChoice.USER else None
        slot = Slot(provider.id, user, dialect_of(provider.type, model.config))
        async with self.clients.lease(slot, endpoint) as client:
            yield client

    def _key(self, provider: ProviderRecord, user_keys: UserKeys) -> SecretStr | None:
        try:
            return self.keys.key_for(provider, user_keys)
        except SecretsError as error:
            log.error("a key cannot be opened", provider=provider.name, why=str(error))
            raise _unusable(
                provider,
                f"The key of the provider {provider.name} was sealed with a master key that this worker "
                "does not have, or is damaged. Enter the key anew, or give the worker the master key.",
            ) from None


def _no_model(why: str) -> ModelCallError:
    message = f"The chat has no model. {why} Choose another model, and send the message again."
    return ModelCallError(Failure(kind=FailureKind.CONFIG, message=message))


def _unusable(provider: ProviderRecord, detail: str) -> ModelCallError:
    return ModelCallError(provider_failure(FailureKind.CONFIG, provider.label, detail=detail))
