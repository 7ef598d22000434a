"""Notifications on their way to clients, in answers and in the stream."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from api.streaming.events import Event
from api.streaming.subscription import Subscription
from api.watching.hub import ReadEvents
from models.hints import Hint, HintKind
from models.inbox import TURN_FAILED, TURN_FINISHED
from models.store import inbox
from models.store.inbox import InboxFilter, Notification

_MAX_BACKLOG = 10
_ICONS = {TURN_FINISHED: "DEFAULT_ICON_CHAT", TURN_FAILED: "DEFAULT_ICON_CHAT_ERROR"}


def notification_payload(notification: Notification) -> dict[str, Any]:
    """A `Notification`."""
    return {
        "id": notification.id,
        "user_id": notification.user_id,
        "template_id": notification.template_id,
        "targets": [notification.chat_id],
        "title": notification.title,
        "content": notification.content,
        "icon": _ICONS.get(notification.template_id, "DEFAULT_ICON_OTHER"),
        "actions": [{"label": "Open chat", "url": f"/agents/{notification.chat_id}"}],
        "read_at": notification.read_at,
        "created_at": notification.created_at,
    }


class Arrived(Event):
    """An event that brings a notification."""

    __slots__ = ("notification",)

    def __init__(self, notification: Notification, unread_count: int) -> None:
        payload = {"notification": notification_payload(notification), "unread_count": unread_count}
        super().__init__("notification", orjson.dumps(payload))
        self.notification = notification


class InboxWatcher(Subscription):
    """A watcher of an inbox. One that does not keep up misses notifications: they wait in the list."""

    def __init__(self, wanted: InboxFilter) -> None:
        super().__init__()
        self._wanted = wanted

    def offer(self, events: Iterable[Event]) -> None:
        for one in events:
            wanted = not isinstance(one, Arrived) or self._wanted.admits(one.notification)
            if wanted and self.backlog < _MAX_BACKLOG:
                super().offer([one])


def inbox_events(engine: AsyncEngine, *, labels: bool) -> ReadEvents:
    """Reads the notifications that hints are about.

    Args:
        labels: Finished turns get a label, and their notification is told once it has that.
    """
    told = (HintKind.NOTIFIED,) if labels else (HintKind.NOTIFIED, HintKind.TURN_FINISHED)

    async def read(owner_id: UUID, hints: Sequence[Hint]) -> list[Event]:
        turns = [(hint.chat_id, hint.turn) for hint in hints if hint.kind in told]
        found = await inbox.read_of_turns(engine, owner_id, turns) if turns else []
        if not found:
            return []
        unread = await inbox.count_unread(engine, owner_id)
        return [Arrived(notification, unread) for notification in found]

    return read
