"""Files that people attach to chats."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from models.tables.columns import moment, uuid_key


class File(SQLModel, table=True):
    """What is known of a file. Its bytes are in a blob store under its id (`runtime.blobs`).

    `arriving` until all bytes are stored, `ready` to be used, `gone` once it was evicted or never arrived
    whole; `purged` says that the bytes of a gone one are deleted, too. The row of a gone file that has a chat
    stays: a message may still name it.

    Attributes:
        chat_id: the only chat that may use it; none until a message with it is sent.
        linked_at: when that was. A chat keeps the files linked last.
        sha256: of the bytes.
    """

    __tablename__ = "files"
    __table_args__ = (
        CheckConstraint("state IN ('arriving', 'ready', 'gone')", name="files_state"),
        Index("files_by_chat", "chat_id", text("linked_at DESC"), text("id DESC")),
        Index(
            "files_to_purge",
            "created_at",
            postgresql_where=text("NOT purged AND (state <> 'ready' OR chat_id IS NULL)"),
        ),
    )

    id: UUID = Field(sa_column=uuid_key())
    organization_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("organizations.id"), nullable=False))
    owner_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("users.id"), nullable=False))
    chat_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("chats.id", ondelete="SET NULL"), nullable=True)
    )
    name: str = Field(sa_column=Column(Text, nullable=False))
    mime_type: str = Field(sa_column=Column(Text, nullable=False))
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    sha256: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False, server_default="arriving"))
    purged: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    created_at: datetime = Field(sa_column=moment())
    linked_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))


class Blob(SQLModel, table=True):
    """Bytes of a file, where no other store is configured. No foreign key: a blob store knows keys only."""

    __tablename__ = "blobs"

    id: UUID = Field(sa_column=uuid_key())
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class SigningKey(SQLModel, table=True):
    """What signed links are signed with, the same for all processes. The newest signs, all are good."""

    __tablename__ = "signing_keys"

    id: UUID = Field(sa_column=uuid_key())
    secret: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=moment())
