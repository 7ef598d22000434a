"""When tokens were used last: collected here, written now and then, and never on the way of a request."""

import asyncio
import time
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.tokens import USED_AGAIN_SECONDS, note_use

_WRITE_SECONDS = 5.0
_MAX_KNOWN = 10_000

log = structlog.get_logger("auth")


class TokenUses:
    """The tokens used since the last write. What a crash loses is a few seconds of when, and nothing else."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._pending: set[UUID] = set()
        self._noted: dict[UUID, float] = {}

    def note(self, token_id: UUID) -> None:
        """Remember that a token has just been used. Costs no more than a look into a dictionary."""
        now = time.monotonic()
        if self._noted.get(token_id, -USED_AGAIN_SECONDS) > now - USED_AGAIN_SECONDS:
            return
        if len(self._noted) >= _MAX_KNOWN:
            self._noted.clear()  # the rows know better; this only spares them questions
        self._noted[token_id] = now
        self._pending.add(token_id)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what was noted, in one statement. A database that is away is asked again next time."""
        used, self._pending = self._pending, set()
        if not used:
            return
        try:
            await note_use(self._engine, used)
        except (SQLAlchemyError, OSError) as error:
            log.warning("cannot write when tokens were used", error=type(error).__name__)
            self._pending |= used
