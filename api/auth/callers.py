"""From a token to its user, remembered for a few seconds."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from api.auth.uses import TokenUses
from api.gate import Gate
from api.single_flight import SingleFlight
from models.store.accounts import Caller, find_caller, hash_secret

REMEMBER_SECONDS = 5.0
"""What another process has changed about a user is known after at most this long."""

_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until: float


class CallerCache:
    """Looks tokens up, least recently used ones forgotten first. Keeps their hashes, not them.

    Args:
        gate: What the look-ups go through: after a restart everybody comes at once.
    """

    def __init__(self, engine: AsyncEngine, uses: TokenUses, gate: Gate) -> None:
        self._engine = engine
        self._uses = uses
        self._gate = gate
        self._changes = 0
        self._lookups: SingleFlight[tuple[int, bytes], Caller | None] = SingleFlight()
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def find(self, secret: str) -> Caller | None:
        """The user of a valid token, else None.

        Raises:
            ApiError: 503, too many unknown tokens at once.
        """
        key = hash_secret(secret)
        known = self._known.get(key)
        if known is not None and known.until > time.monotonic():
            self._known.move_to_end(key)
            self._uses.note(known.caller.token_id)
            return known.caller
        # a look-up that began before a change must not be shared by those who come after it
        asked = (self._changes, key)
        return await self._lookups.ask(asked, lambda: self._look_up(secret, key, self._changes))

    async def _look_up(self, secret: str, key: bytes, changes: int) -> Caller | None:
        self._known.pop(key, None)
        async with self._gate.passing():
            found = await find_caller(self._engine, secret)
        if found is None:
            return None
        caller, expires_at = found
        lifetime = REMEMBER_SECONDS
        if expires_at is not None:
            lifetime = min(lifetime, (expires_at - datetime.now(UTC)).total_seconds())
        if changes == self._changes:
            self._known[key] = _Known(caller, time.monotonic() + lifetime)
        if len(self._known) > _MAX_REMEMBERED:
            self._known.popitem(last=False)
        self._uses.note(caller.token_id)
        return caller

    def forget(self, user_id: UUID) -> None:
        """Look a user up anew: something about them, or a token of theirs, has changed."""
        self._changes += 1
        for key in [key for key, known in self._known.items() if known.caller.user_id == user_id]:
            del self._known[key]
