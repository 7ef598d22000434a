"""Providers, the models they offer, and who prefers which."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from models.tables.columns import indexed_json, moment, uuid_key


def _flag(default: bool) -> Column[bool]:
    return Column(Boolean, nullable=False, server_default=text("true" if default else "false"))


class AiProvider(SQLModel, table=True):
    """An endpoint that offers models: of one organization, or with None of the whole deployment.

    `preset` (`models.providers.Preset`): what is not set here, address and key, comes from the
    environment of the process. `settings` is a `models.providers.ProviderSettings`.
    """

    __tablename__ = "ai_providers"
    __table_args__ = (
        CheckConstraint(
            "type IN ('anthropic', 'azure', 'bedrock', 'google', 'openai', 'openai-compat', 'openrouter',"
            " 'vercel', 'vertex')",
            name="ai_providers_type",
        ),
        Index(
            "ai_providers_name",
            "organization_id",
            "name",
            unique=True,
            postgresql_where=text("NOT deleted"),
            postgresql_nulls_not_distinct=True,
        ),
        Index("ai_providers_preset", "preset", unique=True, postgresql_where=text("NOT deleted")),
    )

    id: UUID = Field(sa_column=uuid_key())
    organization_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("organizations.id"), nullable=True)
    )
    type: str = Field(sa_column=Column(Text, nullable=False))
    preset: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    display_name: str = Field(sa_column=Column(Text, nullable=False))
    icon: str = Field(sa_column=Column(Text, nullable=False, server_default=""))
    base_url: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    enabled: bool = Field(sa_column=_flag(True))
    settings: dict[str, Any] = Field(sa_column=indexed_json(default="{}"))
    central_api_key_enabled: bool = Field(sa_column=_flag(True))
    allow_user_api_key: bool = Field(sa_column=_flag(False))
    allow_central_api_key_fallback: bool = Field(sa_column=_flag(False))
    deleted: bool = Field(sa_column=_flag(False))
    created_at: datetime = Field(sa_column=moment())
    updated_at: datetime = Field(sa_column=moment())


class AiProviderKey(SQLModel, table=True):
    """The deployment's own key of a provider, sealed (`runtime.secrets`). In a table of its own, so that
    nothing reads it by the way."""

    __tablename__ = "ai_provider_keys"

    ai_provider_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("ai_providers.id", ondelete="CASCADE"), primary_key=True)
    )
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    master_key_id: str = Field(sa_column=Column(Text, nullable=False))
    updated_at: datetime = Field(sa_column=moment())


class UserAiProviderKey(SQLModel, table=True):
    """A user's own key of a provider, sealed."""

    __tablename__ = "user_ai_provider_keys"

    user_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    )
    ai_provider_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("ai_providers.id", ondelete="CASCADE"), primary_key=True)
    )
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    master_key_id: str = Field(sa_column=Column(Text, nullable=False))
    updated_at: datetime = Field(sa_column=moment())


class ModelConfig(SQLModel, table=True):
    """A model on offer in an organization. `call_config` is a `models.model_options.CallConfig`; `everyone`:
    all members may use it, and not only those it is shared with.

    Deleted ones stay, because chats and messages name them.
    """

    __tablename__ = "model_configs"
    __table_args__ = (
        Index(
            "model_configs_name",
            "organization_id",
            "ai_provider_id",
            "model",
            unique=True,
            postgresql_where=text("NOT deleted"),
        ),
        Index(
            "model_configs_one_default", "organization_id", unique=True, postgresql_where=text("is_default")
        ),
        CheckConstraint("NOT (deleted AND is_default)", name="model_configs_default_exists"),
    )

    id: UUID = Field(sa_column=uuid_key())
    organization_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("organizations.id"), nullable=False))
    ai_provider_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("ai_providers.id"), nullable=False))
    model: str = Field(sa_column=Column(Text, nullable=False))
    display_name: str = Field(sa_column=Column(Text, nullable=False))
    enabled: bool = Field(sa_column=_flag(True))
    everyone: bool = Field(sa_column=_flag(True))
    is_default: bool = Field(sa_column=_flag(False))
    deleted: bool = Field(sa_column=_flag(False))
    context_limit: int = Field(sa_column=Column(Integer, nullable=False))
    compression_threshold: int = Field(sa_column=Column(Integer, nullable=False, server_default="70"))
    call_config: dict[str, Any] = Field(sa_column=indexed_json(default="{}"))
    created_by: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    updated_by: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    created_at: datetime = Field(sa_column=moment())
    updated_at: datetime = Field(sa_column=moment())


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


class ModelOverride(SQLModel, table=True):
    """The model an organization uses for one purpose instead of its default."""

    __tablename__ = "model_overrides"

    organization_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True)
    )
    context: str = Field(sa_column=Column(Text, primary_key=True))
    model_config_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("model_configs.id", ondelete="CASCADE"), nullable=False)
    )
    reasoning_effort: str | None = Field(default=None, sa_column=Column(Text, nullable=True))


class MemberModelOverride(SQLModel, table=True):
    """What a member of an organization wants for one kind of chat. Only mode `model` names one."""

    __tablename__ = "member_model_overrides"
    __table_args__ = (
        CheckConstraint(
            "mode IN ('chat_default', 'deployment_default', 'model')"
            " AND (mode = 'model') = (model_config_id IS NOT NULL)",
            name="member_model_overrides_mode",
        ),
    )

    user_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    )
    organization_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True)
    )
    context: str = Field(sa_column=Column(Text, primary_key=True))
    mode: str = Field(sa_column=Column(Text, nullable=False))
    model_config_id: UUID | None = Field(
        default=None,
        sa_column=Column(Uuid, ForeignKey("model_configs.id", ondelete="CASCADE"), nullable=True),
    )
    reasoning_effort: str | None = Field(default=None, sa_column=Column(Text, nullable=True))


class DeploymentSetting(SQLModel, table=True):
    """A setting of the whole deployment. One that is absent is at its default."""

    __tablename__ = "deployment_settings"

    name: str = Field(sa_column=Column(Text, primary_key=True))
    value: dict[str, Any] = Field(sa_column=indexed_json())
    updated_at: datetime = Field(sa_column=moment())


class UserPrompt(SQLModel, table=True):
    """What a user wants every model to know."""

    __tablename__ = "user_prompts"

    user_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    )
    prompt: str = Field(sa_column=Column(Text, nullable=False))
