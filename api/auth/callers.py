"""From a token to its user, remembered for a few seconds."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.accounts import Caller, find_caller, hash_secret

REMEMBER_SECONDS = 10.0
"""A token that is revoked works on for at most this long."""

_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until: float


class CallerCache:
    """Looks tokens up, least recently used ones forgotten first. Keeps their hashes, not them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def find(self, secret: str) -> Caller | None:
        """The user of a valid token, else None."""
        key = hash_secret(secret)
        known = self._known.get(key)
        if known is not None and known.until > time.monotonic():
            self._known.move_to_end(key)
            return known.caller
        self._known.pop(key, None)
        found = await find_caller(self._engine, secret)
        if found is None:
            return None
        caller, expires_at = found
        lifetime = REMEMBER_SECONDS
        if expires_at is not None:
            lifetime = min(lifetime, (expires_at - datetime.now(UTC)).total_seconds())
        self._known[key] = _Known(caller, time.monotonic() + lifetime)
        if len(self._known) > _MAX_REMEMBERED:
            self._known.popitem(last=False)
        return caller
