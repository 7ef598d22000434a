"""The keys of signed links: made once, the same for all processes."""

import secrets
from uuid import uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.reading import transaction
from models.store.tables import signing_keys

_LOCK = 0x50455247
_BYTES = 32


async def read_signing_keys(engine: AsyncEngine) -> list[bytes]:
    """All keys, the one that signs last. The first call of an installation makes one."""
    async with transaction(engine) as conn:
        await conn.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        found = await conn.execute(select(signing_keys.c.secret).order_by(signing_keys.c.created_at))
        keys = [bytes(secret) for secret in found.scalars()]
        if not keys:
            keys = [secrets.token_bytes(_BYTES)]
            await conn.execute(insert(signing_keys).values(id=uuid4(), secret=keys[0]))
        return keys
