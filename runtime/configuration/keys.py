"""Whose key serves a call: a provider's policy, applied to the keys there are (spec chat-loop.md 3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr

from models.providers import KeyChoice, Preset, choose_key
from models.store.configuration import ProviderRecord, StoredSecret
from runtime.presets import Surroundings, surroundings
from runtime.secrets import MasterKeys, Sealed
from runtime.settings import Settings

UserKeys = Mapping[UUID, StoredSecret]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of this process: those that open stored ones, and those of the environment."""

    master: MasterKeys
    environment: Mapping[Preset, Surroundings]

    def has_central_key(self, provider: ProviderRecord) -> bool:
        """Whether there is a key that is nobody's own."""
        return provider.key is not None or self._environment_of(provider) is not None

    def choice(self, provider: ProviderRecord, user_keys: UserKeys) -> KeyChoice:
        """Whose key serves calls for the user of these keys."""
        return choose_key(
            provider.policy,
            has_user_key=provider.id in user_keys,
            has_central_key=self.has_central_key(provider),
            needs_key=provider.type.needs_key,
        )

    def key_for(self, provider: ProviderRecord, user_keys: UserKeys) -> SecretStr | None:
        """The key itself; None for `KeyChoice.NONE` and `KeyChoice.MISSING`.

        Raises:
            SecretsError: there is one, and it cannot be opened.
        """
        match self.choice(provider, user_keys):
            case KeyChoice.USER:
                return self._open(user_keys[provider.id])
            case KeyChoice.CENTRAL if provider.key is not None:
                return self._open(provider.key)
            case KeyChoice.CENTRAL:
                around = self._environment_of(provider)
                assert around is not None, "that is what the choice says"
                return around.key
            case KeyChoice.NONE | KeyChoice.MISSING:
                return None

    def base_url_of(self, provider: ProviderRecord) -> str | None:
        """Where the provider is; None for the vendor's own address."""
        around = self._environment_of(provider)
        return provider.base_url or (around.base_url if around else None)

    def seal(self, secret: SecretStr, belongs_to: str) -> StoredSecret:
        """A secret as it is to be stored.

        Raises:
            NoMasterKey: no master key is configured.
        """
        sealed = self.master.seal(secret, belongs_to)
        return StoredSecret(sealed.data, sealed.master_key_id, belongs_to)

    def _open(self, secret: StoredSecret) -> SecretStr:
        return self.master.open(Sealed(secret.data, secret.master_key_id), secret.belongs_to)

    def _environment_of(self, provider: ProviderRecord) -> Surroundings | None:
        return None if provider.preset is None else self.environment.get(provider.preset)


def open_keys(settings: Settings) -> KeyRing:
    """The keys that these settings name.

    Raises:
        SecretsError: a master key is none, or its file cannot be read.
    """
    return KeyRing(MasterKeys(settings.master_keys, settings.master_key_file), surroundings(settings))
