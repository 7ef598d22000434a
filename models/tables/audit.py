"""Who changed what."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, Uuid
from sqlmodel import Field, SQLModel

from models.tables.columns import indexed_json, moment, serial_key


class AuditRecord(SQLModel, table=True):
    """A change, or an attempt at one. It outlives whom and what it names, so it refers to nothing.

    Attributes:
        organization_id: Whose administrators may read it; none: it is about the site.
        status: the HTTP status it was answered with.
        changes: the new values of changed fields, without secrets.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        CheckConstraint("outcome IN ('done', 'rejected')", name="audit_log_outcome"),
        Index("audit_log_by_organization", "organization_id", "id"),
        Index("audit_log_by_target", "target_id", "id"),
    )

    id: int = Field(sa_column=serial_key())
    at: datetime = Field(sa_column=moment())
    organization_id: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    user_id: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    username: str = Field(sa_column=Column(Text, nullable=False))
    action: str = Field(sa_column=Column(Text, nullable=False))
    target_type: str = Field(sa_column=Column(Text, nullable=False))
    target_id: str = Field(sa_column=Column(Text, nullable=False))
    target_name: str = Field(sa_column=Column(Text, nullable=False, server_default=""))
    outcome: str = Field(sa_column=Column(Text, nullable=False))
    status: int = Field(sa_column=Column(Integer, nullable=False))
    request_id: str = Field(sa_column=Column(Text, nullable=False, server_default=""))
    changes: dict[str, Any] = Field(sa_column=indexed_json(default="{}"))
