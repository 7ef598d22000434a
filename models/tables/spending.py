"""What calls of models have cost, and what they may."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from models.tables.columns import moment, uuid_key


def _count() -> Column[int]:
    return Column(BigInteger, nullable=False, server_default="0")


class Spending(SQLModel, table=True):
    """A call of a model and what it has cost: `models.spending.PaidCall` and `Bill`. It outlives whom and
    what it names, so it refers to nothing.

    Attributes:
        created_at: when it was reserved, or else when it was over: what decides which period it falls into.
        reserved_micros: its worst case, if that was ever set aside.
        cost_micros: none while it is reserved, and if it is unpriced.
    """

    __tablename__ = "spendings"
    __table_args__ = (
        CheckConstraint("state IN ('reserved', 'settled', 'assumed')", name="spendings_state"),
        Index("spendings_by_organization", "organization_id", "created_at"),
        Index("spendings_by_user", "user_id", "created_at"),
        Index("spendings_by_family", "root_chat_id", postgresql_where=text("root_chat_id IS NOT NULL")),
        Index("spendings_reserved", "created_at", postgresql_where=text("state = 'reserved'")),
        Index("spendings_reserved_by_chat", "chat_id", postgresql_where=text("state = 'reserved'")),
    )

    id: UUID = Field(sa_column=uuid_key())
    organization_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    user_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    chat_id: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    root_chat_id: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    turn: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    step: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    purpose: str = Field(sa_column=Column(Text, nullable=False))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    model: str = Field(sa_column=Column(Text, nullable=False))
    model_config_id: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    state: str = Field(sa_column=Column(Text, nullable=False))
    reserved_micros: int = Field(sa_column=_count())
    cost_micros: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    input_tokens: int = Field(sa_column=_count())
    output_tokens: int = Field(sa_column=_count())
    reasoning_tokens: int = Field(sa_column=_count())
    cache_creation_tokens: int = Field(sa_column=_count())
    cache_read_tokens: int = Field(sa_column=_count())
    created_at: datetime = Field(sa_column=moment())


class Budget(SQLModel, table=True):
    """A limit on what leaves one pot in one period, and what has left it in the present one.

    Without a user and a chat it is the organization's. `spent_micros` and `reserved_micros` are the sums of
    the pot's rows in `spendings` since `period_start`, kept by whoever writes such a row.
    """

    __tablename__ = "budgets"
    __table_args__ = (
        CheckConstraint("period IN ('day', 'month', 'total')", name="budgets_period"),
        CheckConstraint("user_id IS NULL OR chat_id IS NULL", name="budgets_one_pot"),
        CheckConstraint("chat_id IS NULL OR period = 'total'", name="budgets_of_chats"),
        CheckConstraint("limit_micros >= 0", name="budgets_limit"),
        UniqueConstraint("organization_id", "target_id", "period", name="budgets_one_per_period"),
        Index("budgets_by_user", "user_id", postgresql_where=text("user_id IS NOT NULL")),
        Index("budgets_by_chat", "chat_id", postgresql_where=text("chat_id IS NOT NULL")),
    )

    id: UUID = Field(sa_column=uuid_key())
    organization_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False)
    )
    user_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=True)
    )
    chat_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("chats.id", ondelete="CASCADE"), nullable=True)
    )
    target_id: UUID = Field(
        sa_column=Column(
            Uuid, Computed("COALESCE(chat_id, user_id, organization_id)", persisted=True), nullable=False
        )
    )
    period: str = Field(sa_column=Column(Text, nullable=False))
    limit_micros: int = Field(sa_column=Column(BigInteger, nullable=False))
    period_start: datetime = Field(sa_column=moment())
    spent_micros: int = Field(sa_column=_count())
    reserved_micros: int = Field(sa_column=_count())
    created_at: datetime = Field(sa_column=moment())
    updated_at: datetime = Field(sa_column=moment())
