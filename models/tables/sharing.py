"""Whom a chat is shared with. A row lets its principal read the chat and its descendants."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from uuid import UUID

from sqlalchemy import Column, ForeignKey, Uuid
from sqlmodel import Field, SQLModel


class ChatUserReader(SQLModel, table=True):
    __tablename__ = "chat_user_readers"

    chat_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("chats.id", ondelete="CASCADE"), primary_key=True)
    )
    user_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    )


class ChatGroupReader(SQLModel, table=True):
    __tablename__ = "chat_group_readers"

    chat_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("chats.id", ondelete="CASCADE"), primary_key=True)
    )
    group_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True)
    )
