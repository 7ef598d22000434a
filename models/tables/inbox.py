"""What waits in a user's inbox."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Text, UniqueConstraint, Uuid, text
from sqlmodel import Field, SQLModel

from models.tables.columns import moment, uuid_key


class InboxNotification(SQLModel, table=True):
    """A turn has ended. The key (chat, turn) is what makes a turn leave one notification, however often its
    end is told. Written by the transaction that ends the turn; `content` gets better words later."""

    __tablename__ = "inbox_notifications"
    __table_args__ = (
        UniqueConstraint("chat_id", "turn", name="inbox_notifications_one_per_turn"),
        Index("inbox_notifications_by_user", "user_id", text("created_at DESC"), text("id DESC")),
        Index("inbox_notifications_unread", "user_id", postgresql_where=text("read_at IS NULL")),
        Index("inbox_notifications_by_age", "created_at", postgresql_using="brin"),
    )

    id: UUID = Field(sa_column=uuid_key())
    user_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False))
    chat_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("chats.id", ondelete="CASCADE"), nullable=False))
    turn: int = Field(sa_column=Column(BigInteger, nullable=False))
    template_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    content: str = Field(sa_column=Column(Text, nullable=False))
    read_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    created_at: datetime = Field(sa_column=moment())
