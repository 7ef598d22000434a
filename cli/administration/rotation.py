"""Sealing all secrets with the newest master key."""

from cli.errors import CommandError
from models.store.configuration import StoredSecret
from models.store.providers import replace_secret, secrets_of_other_keys
from runtime.database import open_engine
from runtime.secrets import MasterKeys, Sealed
from runtime.settings import Settings

_BATCH = 100


async def seal_anew(settings: Settings) -> int:
    """Seal every secret that another master key has sealed. A secret that somebody changes meanwhile is left
    to them: it is sealed with the newest key already.

    Returns:
        How many were.

    Raises:
        CommandError: There is no master key.
        SecretsError: A secret cannot be opened; those before it are done.
    """
    master = MasterKeys(settings.master_keys, settings.master_key_file)
    if master.current_id is None:
        raise CommandError(
            "no master key is configured. `perdure keys new` makes one for PERDURE_MASTER_KEYS."
        )
    engine = open_engine(settings.database_url, pool_size=1)
    done = 0
    try:
        while True:
            batch = await secrets_of_other_keys(engine, master.current_id, _BATCH)
            if not batch:
                return done
            for secret in batch:
                text = master.open(Sealed(secret.data, secret.master_key_id), secret.belongs_to)
                sealed = master.seal(text, secret.belongs_to)
                new = StoredSecret(sealed.data, sealed.master_key_id, secret.belongs_to)
                done += await replace_secret(engine, secret, new)
    finally:
        await engine.dispose()
