"""What the inbox routes take and answer (spec api.md 14)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NotificationAction(_Shape):
    """Where a notification leads."""

    label: str = Field(examples=["Open chat"])
    url: str = Field(examples=["/agents/7c9e6679-7425-40de-944b-e07fc1f90ae7"])


class Notification(_Shape):
    """A turn of a chat has ended. `targets` holds the chat."""

    id: UUID
    user_id: UUID
    template_id: UUID
    targets: list[UUID]
    title: str = Field(examples=["What time is it?"])
    content: str = Field(examples=["Told the time"])
    icon: str
    actions: list[NotificationAction]
    read_at: datetime | None
    created_at: datetime


class NotificationPage(_Shape):
    notifications: list[Notification]
    unread_count: int


class MarkedNotification(_Shape):
    notification: Notification
    unread_count: int


class MarkNotification(BaseModel):
    is_read: bool


Format = Literal["markdown", "plaintext"]
