"""Which models an organization may use."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Text, Uuid, text
from sqlmodel import Field, SQLModel

from models.tables.columns import moment, uuid_key


class ModelConfig(SQLModel, table=True):
    """A model on offer. `provider` names an endpoint whose address and key are in the worker's settings."""

    __tablename__ = "model_configs"
    __table_args__ = (
        Index("model_configs_name", "organization_id", "provider", "model", unique=True),
        Index(
            "model_configs_one_default", "organization_id", unique=True, postgresql_where=text("is_default")
        ),
    )

    id: UUID = Field(sa_column=uuid_key())
    organization_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("organizations.id"), nullable=False))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    model: str = Field(sa_column=Column(Text, nullable=False))
    display_name: str = Field(sa_column=Column(Text, nullable=False))
    enabled: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("true")))
    is_default: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    context_limit: int = Field(sa_column=Column(Integer, nullable=False))
    compression_threshold: int = Field(sa_column=Column(Integer, nullable=False, server_default="70"))
    max_output_tokens: int = Field(sa_column=Column(Integer, nullable=False, server_default="32000"))
    thinking_budget_tokens: int | None = Field(default=None, sa_column=Column(Integer, nullable=True))
    created_at: datetime = Field(sa_column=moment())


class CompactionThreshold(SQLModel, table=True):
    """How full a user lets a model's context get before it is compacted, in percent; 100: never."""

    __tablename__ = "compaction_thresholds"

    user_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    )
    model_config_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("model_configs.id", ondelete="CASCADE"), primary_key=True)
    )
    threshold_percent: int = Field(sa_column=Column(Integer, nullable=False))
