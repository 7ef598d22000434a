"""Who may read what not everybody may: a row lets its principal read a chat with its descendants, or use a
model that is not for everybody."""

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


class ModelUserReader(SQLModel, table=True):
    __tablename__ = "model_user_readers"

    model_config_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("model_configs.id", ondelete="CASCADE"), primary_key=True)
    )
    user_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    )


class ModelGroupReader(SQLModel, table=True):
    __tablename__ = "model_group_readers"

    model_config_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("model_configs.id", ondelete="CASCADE"), primary_key=True)
    )
    group_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True)
    )
