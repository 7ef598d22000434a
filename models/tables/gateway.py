"""Calls of models that went through the gateway."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Text,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from models.tables.columns import indexed_json, moment, uuid_key


def _tokens() -> Column[int]:
    return Column(BigInteger, nullable=True)


class GatewayCall(SQLModel, table=True):
    """One call: who made it, of what, and what came of it. Never what was said.

    The row is there before the provider is asked, and is completed once, when the call is over. It outlives
    the token and the provider that it names.

    Attributes:
        provider_name: as it was called when the call was made.
        model: as the request named it.
        status: HTTP status that was answered; none while the call runs, or if nobody was left to answer.
        outcome: `completed`, `failed`, `unfinished` (an answer that did not arrive whole) or `lost` (the
            process that made the call has died); none while the call runs.
        response_id: the vendor's name for the answer.
        input_tokens: without cached ones; like the other counts none where the vendor has not told.
        cost_micros: none: unpriced, or tokens that nobody knows.
        tool_calls: that the model asked for: `[{"id", "name", "provider_executed"}]`, without arguments.
    """

    __tablename__ = "gateway_calls"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('completed', 'failed', 'unfinished', 'lost')"
            " AND (outcome IS NULL) = (finished_at IS NULL)",
            name="gateway_calls_outcome",
        ),
        Index("gateway_calls_by_time", "started_at", "id"),
        Index("gateway_calls_by_organization", "organization_id", "started_at", "id"),
        Index("gateway_calls_by_user", "user_id", "started_at", "id"),
        Index("gateway_calls_running", "started_at", postgresql_where=text("finished_at IS NULL")),
    )

    id: UUID = Field(sa_column=uuid_key())
    organization_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("organizations.id"), nullable=False))
    user_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("users.id"), nullable=False))
    token_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    provider_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    provider_name: str = Field(sa_column=Column(Text, nullable=False))
    model: str = Field(sa_column=Column(Text, nullable=False))
    endpoint: str = Field(sa_column=Column(Text, nullable=False))
    streamed: bool = Field(sa_column=Column(Boolean, nullable=False))
    started_at: datetime = Field(sa_column=moment())
    finished_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    status: int | None = Field(default=None, sa_column=Column(Integer, nullable=True))
    outcome: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    response_id: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    input_tokens: int | None = Field(default=None, sa_column=_tokens())
    output_tokens: int | None = Field(default=None, sa_column=_tokens())
    reasoning_tokens: int | None = Field(default=None, sa_column=_tokens())
    cache_read_tokens: int | None = Field(default=None, sa_column=_tokens())
    cache_creation_tokens: int | None = Field(default=None, sa_column=_tokens())
    cost_micros: int | None = Field(default=None, sa_column=_tokens())
    tool_calls: list[dict[str, Any]] = Field(sa_column=indexed_json(default="[]"))
