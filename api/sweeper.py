"""Puts right what a door left behind when it died: lost drafts, chats that no workflow moves, and
calls whose worker has died."""

import asyncio
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.temporal_gateway import TemporalGateway, Unavailable
from models.store import chats, drafts, spending
from runtime import metrics

_BATCH = 100
_PAUSE_SECONDS = 0.01
_LONGEST_CALL_SECONDS = 3600.0
"""A call that has reserved something and is not over after this long is taken for lost."""

log = structlog.get_logger("sweeper")


class Sweeper:
    """Sweeps at start and then in intervals; of several replicas, one at a time.

    A chat whose workflow is just busy looks the same from its rows as one that has none. Starting it is
    harmless then, so there is no need to find out.
    """

    def __init__(
        self, engine: AsyncEngine, gateway: TemporalGateway, *, interval_seconds: float, age_seconds: float
    ) -> None:
        self._engine = engine
        self._gateway = gateway
        self._interval_seconds = interval_seconds
        self._age_seconds = age_seconds

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep()
            except (SQLAlchemyError, OSError) as error:
                log.warning("sweep failed, will try again", error=str(error))
            except Unavailable as error:
                log.warning("chats cannot be started, will try again", error=str(error))
            await asyncio.sleep(self._interval_seconds)

    async def sweep(self) -> None:
        """Withdraw old pending drafts; count as spent what is reserved for calls that are lost; start all
        chats in motion that nothing has touched for long.

        Raises:
            Unavailable: Temporal cannot be reached.
        """
        async with chats.sweep_lock(self._engine) as conn:
            if conn is None:
                return
            lost = await spending.assume_older(conn, _LONGEST_CALL_SECONDS)
            metrics.SWEPT.labels("reservation").inc(lost)
            withdrawn = await drafts.withdraw_older(conn, self._age_seconds)
            metrics.SWEPT.labels("draft").inc(withdrawn)
        # a transaction of its own: a door that wants to answer for one of these drafts must not wait
        async with chats.sweep_lock(self._engine) as conn:
            if conn is None:
                return
            after: tuple[datetime, UUID] | None = None
            while True:
                batch = await chats.read_unmoved(conn, self._age_seconds, after=after, limit=_BATCH)
                for chat in batch:
                    await self._gateway.start_chat(chat)
                    metrics.SWEPT.labels("chat").inc()
                    await asyncio.sleep(_PAUSE_SECONDS)
                if len(batch) < _BATCH:
                    return
                after = (batch[-1].updated_at, batch[-1].id)
