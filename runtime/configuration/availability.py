"""Which models a user can have called now (spec api.md section 1: MODEL, NOMODEL)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from models.providers import KeyChoice
from models.store.configuration import ModelRecord, ProviderRecord
from runtime.configuration.configuration import Configuration
from runtime.configuration.keys import KeyRing, UserKeys


class Unavailable(StrEnum):
    """Why a provider cannot be used by somebody."""

    DISABLED = "provider_disabled"
    MISSING_KEY = "missing_api_key"
    USER_KEY_REQUIRED = "user_api_key_required"


def why_unavailable(keys: KeyRing, provider: ProviderRecord, user_keys: UserKeys) -> Unavailable | None:
    """Why a provider cannot be used by the user of these keys; None if it can."""
    if not provider.enabled or provider.broken is not None:
        return Unavailable.DISABLED
    if keys.choice(provider, user_keys) is not KeyChoice.MISSING:
        return None
    return Unavailable.USER_KEY_REQUIRED if provider.policy.allow_user_api_key else Unavailable.MISSING_KEY


@dataclass(frozen=True, slots=True)
class Availability:
    """Answers which models can be used, from what this process remembers."""

    configuration: Configuration
    keys: KeyRing

    async def usable_model(
        self, organization_id: UUID, user_id: UUID, wanted: UUID | None
    ) -> ModelRecord | None:
        """The model `wanted`, or with None the organization's default; None if it cannot be called for
        the user."""
        if wanted is None:
            model = await self.configuration.default_model(organization_id)
        else:
            model = await self.configuration.model(wanted)
        if model is None or model.deleted or not model.enabled or model.organization_id != organization_id:
            return None
        if not await self.configuration.lets_use(model, user_id):
            return None
        provider = (await self.configuration.providers()).get(model.provider_id)
        if provider is None or provider.organization_id not in (None, organization_id):
            return None
        user_keys = await self.configuration.user_keys(user_id)
        return None if why_unavailable(self.keys, provider, user_keys) else model
