"""Puts idle chats away and deletes what is old, as the deployment's settings say (spec api.md section 10)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.temporal_gateway import CommandRejected, TemporalGateway, Unavailable
from models.deployment import AutoArchiveDays, RetentionDays
from models.store import retention
from models.store.audit import Change
from models.store.chats import ChatRecord
from models.store.edits import Edit, stage_edit
from models.store.retention import Place
from models.turns import SetArchived
from runtime import metrics
from runtime.configuration import Configuration

_CHATS = 100
_ROWS = 1000
_PAUSE_SECONDS = 0.01
"""Between two bites: nobody waits for this, and others use the same database."""

log = structlog.get_logger("retention")


class Retention:
    """Sweeps at start and then in intervals. Several replicas may do so at once: what one has done, the
    others find done.

    Args:
        receipt_days: how long the receipts of requests are kept, and with them what an idempotency key
            stands for; of archived chats also the ledgers of tool calls.
        notification_days: how long notifications that were read are kept.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        gateway: TemporalGateway,
        configuration: Configuration,
        *,
        interval_seconds: float,
        receipt_days: float,
        notification_days: float,
    ) -> None:
        self._engine = engine
        self._gateway = gateway
        self._configuration = configuration
        self._interval_seconds = interval_seconds
        self._receipt_days = receipt_days
        self._notification_days = notification_days

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep()
            except (SQLAlchemyError, OSError) as error:
                log.warning("sweep failed, will try again", error=type(error).__name__)
            except Unavailable as error:
                log.warning("chats cannot be put away, will try again", error=str(error))
            await asyncio.sleep(self._interval_seconds)

    async def sweep(self) -> None:
        """Do all that is due now.

        Raises:
            Unavailable: Temporal cannot be reached.
        """
        for forget, days, limit in (
            (retention.forget_receipts, self._receipt_days, _ROWS),
            (retention.forget_read_notifications, self._notification_days, _ROWS),
            (retention.forget_ledgers, self._receipt_days, _CHATS),
        ):
            forgotten = limit
            while forgotten >= limit:
                forgotten = await forget(self._engine, days, limit=limit)
                await asyncio.sleep(_PAUSE_SECONDS)
        await self._delete_expired()
        await self._archive_idle()

    async def _delete_expired(self) -> None:
        days = (await self._configuration.setting(RetentionDays)).retention_days
        if not days:
            return
        async for chat in _every(partial(retention.read_expired, self._engine, days, limit=_CHATS)):
            if await retention.delete_family(self._engine, chat.id, days, _change(chat, "delete")):
                metrics.SWEPT.labels("expired_chat").inc()
                log.info("archived chat deleted", chat_id=str(chat.id))
                # only now: somebody may have come back to it until then. A workflow that still runs rests as
                # the chat did, and ends by itself if we die here
                await self._gateway.end_chat(chat.id, "the chat is deleted")

    async def _archive_idle(self) -> None:
        days = (await self._configuration.setting(AutoArchiveDays)).auto_archive_days
        if not days:
            return
        async for chat in _every(partial(retention.read_idle, self._engine, days, limit=_CHATS)):
            await self._archive(chat)

    async def _archive(self, chat: ChatRecord) -> None:
        command_id = f"set-archived:{uuid4()}"
        change = _change(chat, "write", archived=True)
        await stage_edit(self._engine, chat.id, Edit(), change, command_id=command_id)
        argument = SetArchived(archived=True, only_in_turn=chat.state.turn)
        try:
            await self._gateway.command(chat, "set_archived", argument, update_id=command_id)
        except CommandRejected:
            return  # somebody has come back to it
        metrics.SWEPT.labels("idle_chat").inc()
        log.info("idle chat archived", chat_id=str(chat.id))


def _change(chat: ChatRecord, action: str, **fields: object) -> Change:
    """A line of the audit log. Nobody did it: a setting did."""
    return Change(
        user_id=None,
        username="",
        action=action,
        target_type="chat",
        target_id=str(chat.id),
        organization_id=chat.organization_id,
        changes=fields,
    )


async def _every(bite: Callable[..., Awaitable[list[ChatRecord]]]) -> AsyncGenerator[ChatRecord]:
    """All chats that a query finds, read bite by bite; one that stays does not hold up those behind it."""
    after: Place | None = None
    while True:
        found = await bite(after=after)
        for chat in found:
            yield chat
            await asyncio.sleep(_PAUSE_SECONDS)
        if len(found) < _CHATS:
            return
        after = (found[-1].updated_at, found[-1].id)
