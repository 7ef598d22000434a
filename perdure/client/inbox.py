"""The user's inbox."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

from perdure.client.connection import Connection
from perdure.client.events import ConnectionLost
from perdure.client.reading import path_of, read
from perdure.client.shapes import Shape
from perdure.client.watching import Watching, watch

_PATH = "/notifications/inbox"


class Notification(Shape):
    """A turn of a root chat has ended or failed. `targets` holds the chat."""

    id: str
    user_id: str
    template_id: str
    targets: list[str] = []
    title: str = ""
    content: str = ""
    read_at: datetime | None = None
    created_at: datetime


class InboxPage(Shape):
    """Notifications, newest first, and how many of all are unread."""

    notifications: list[Notification]
    unread_count: int


class InboxChange(Shape):
    """A new notification, and how many are unread now."""

    notification: Notification
    unread_count: int


class Inbox:
    """Lists, marks and watches notifications."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(
        self, *, unread: bool = False, chat_id: str | None = None, starting_before: str | None = None
    ) -> InboxPage:
        """A page of notifications, newest first.

        Args:
            unread: Only those.
            chat_id: Only those about this chat.
            starting_before: Those older than this one.
        """
        params: dict[str, Any] = {
            "read_status": "unread" if unread else None,
            "targets": chat_id,
            "starting_before": starting_before,
        }
        return read(InboxPage, await self._connection.request("GET", _PATH, params=params))

    async def list(self, *, unread: bool = False, chat_id: str | None = None) -> AsyncGenerator[Notification]:
        """All notifications, newest first, read a page at a time."""
        last: str | None = None
        while found := (await self.page(unread=unread, chat_id=chat_id, starting_before=last)).notifications:
            for notification in found:
                yield notification
            last = found[-1].id

    async def unread_count(self) -> int:
        """How many notifications are unread."""
        return (await self.page()).unread_count

    async def mark(self, notification_id: str, *, is_read: bool = True) -> InboxChange:
        """Mark a notification as read, or as unread."""
        path = _PATH + path_of(notification_id, "read-status")
        answer = await self._connection.request("PUT", path, json={"is_read": is_read})
        return read(InboxChange, answer)

    async def mark_all_read(self) -> None:
        """Mark all notifications as read."""
        await self._connection.request("PUT", f"{_PATH}/mark-all-as-read")

    def watch(self, *, chat_id: str | None = None) -> AsyncGenerator[InboxChange | Watching | ConnectionLost]:
        """Notifications as they come; see `Watching`."""
        params = {} if chat_id is None else {"targets": chat_id}
        return watch(self._connection, f"{_PATH}/watch", InboxChange, params)
