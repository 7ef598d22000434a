"""Who may use Perdure."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, LargeBinary, Text, Uuid
from sqlmodel import Field, SQLModel

from models.tables.columns import moment, uuid_key


class Organization(SQLModel, table=True):
    __tablename__ = "organizations"

    id: UUID = Field(sa_column=uuid_key())
    name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    created_at: datetime = Field(sa_column=moment())


class User(SQLModel, table=True):
    __tablename__ = "users"

    id: UUID = Field(sa_column=uuid_key())
    organization_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("organizations.id"), nullable=False))
    username: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    name: str = Field(sa_column=Column(Text, nullable=False, server_default=""))
    created_at: datetime = Field(sa_column=moment())


class ApiToken(SQLModel, table=True):
    """A token is shown once; only its SHA-256 is kept."""

    __tablename__ = "api_tokens"

    id: UUID = Field(sa_column=uuid_key())
    user_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    secret_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    created_at: datetime = Field(sa_column=moment())
    expires_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
