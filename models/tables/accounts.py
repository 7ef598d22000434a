"""Who may use Perdure."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from models.tables.columns import indexed_json, moment, uuid_key


def _text(default: str = "") -> Column[str]:
    return Column(Text, nullable=False, server_default=default)


def _key_of(table: str, *, index: bool = False) -> Column[Any]:
    """Part of a primary key; the row goes with what it refers to."""
    return Column(Uuid, ForeignKey(f"{table}.id", ondelete="CASCADE"), primary_key=True, index=index)


class Organization(SQLModel, table=True):
    __tablename__ = "organizations"

    id: UUID = Field(sa_column=uuid_key())
    name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    display_name: str = Field(sa_column=_text())
    created_at: datetime = Field(sa_column=moment())
    updated_at: datetime = Field(sa_column=moment())


class User(SQLModel, table=True):
    """`status` is `active` or `suspended`; `site_role` is `owner` or nothing."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'suspended')", name="users_status"),
        CheckConstraint("site_role IN ('', 'owner')", name="users_site_role"),
        Index("users_email", text("lower(email)"), unique=True),
    )

    id: UUID = Field(sa_column=uuid_key())
    username: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    name: str = Field(sa_column=_text())
    email: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    status: str = Field(sa_column=_text("active"))
    site_role: str = Field(sa_column=_text())
    created_at: datetime = Field(sa_column=moment())
    updated_at: datetime = Field(sa_column=moment())


class UserIdentity(SQLModel, table=True):
    """A user as an OpenID provider knows them. The subject is stable; names and addresses are not."""

    __tablename__ = "user_identities"

    issuer: str = Field(sa_column=Column(Text, primary_key=True))
    subject: str = Field(sa_column=Column(Text, primary_key=True))
    user_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    )
    created_at: datetime = Field(sa_column=moment())


class Membership(SQLModel, table=True):
    """A user in an organization. Roles and what they allow: `models.permissions`."""

    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'member', 'auditor')", name="memberships_role"),
    )

    user_id: UUID = Field(sa_column=_key_of("users"))
    organization_id: UUID = Field(sa_column=_key_of("organizations", index=True))
    role: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=moment())


class Group(SQLModel, table=True):
    """Members of an organization that chats are shared with together."""

    __tablename__ = "groups"
    __table_args__ = (UniqueConstraint("organization_id", "name", name="groups_name"),)

    id: UUID = Field(sa_column=uuid_key())
    organization_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False)
    )
    name: str = Field(sa_column=Column(Text, nullable=False))
    display_name: str = Field(sa_column=_text())
    created_at: datetime = Field(sa_column=moment())


class GroupMember(SQLModel, table=True):
    """Who leaves the organization leaves its groups."""

    __tablename__ = "group_members"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "organization_id"],
            ["memberships.user_id", "memberships.organization_id"],
            name="group_members_membership",
            ondelete="CASCADE",
        ),
        Index("group_members_by_user", "user_id", "organization_id"),
    )

    group_id: UUID = Field(sa_column=_key_of("groups"))
    user_id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    organization_id: UUID = Field(sa_column=Column(Uuid, nullable=False))


class ApiToken(SQLModel, table=True):
    """A token is shown once; only its SHA-256 is kept. `kind` is `token`, or `session` for a sign-in."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        CheckConstraint("kind IN ('token', 'session')", name="api_tokens_kind"),
        Index("api_tokens_by_user", "user_id"),
    )

    id: UUID = Field(sa_column=uuid_key())
    user_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=_text("token"))
    scopes: list[str] = Field(sa_column=indexed_json(default='["all"]'))
    secret_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    created_at: datetime = Field(sa_column=moment())
    expires_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    last_used_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
