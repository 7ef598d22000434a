"""Shapes of models (spec api.md section 11)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self, cast
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from models.effort import Effort
from models.model_options import CallConfig
from models.providers import ProviderType
from models.store.configuration import ModelRecord
from runtime.configuration.availability import Unavailable

_ACL_KEYS = ("user_roles", "group_roles", "users", "groups", "acl")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("Must not contain control characters")
    return text.strip()


_Name = Annotated[str, Field(max_length=300), AfterValidator(_printable)]
_ContextLimit = Annotated[int, Field(gt=0, le=2**31 - 1)]
_Percent = Annotated[int, Field(ge=0, le=100)]


class _Body(BaseModel):
    @model_validator(mode="before")
    @classmethod
    def _without_acl(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            body = cast("Mapping[str, Any]", given)
            found = [key for key in _ACL_KEYS if key in body]
            if found:
                raise ValueError(f"{found[0]} cannot be set here")
            return body
        return given


_CONFIG_EXAMPLE: dict[str, JsonValue] = {
    "max_output_tokens": 32_000,
    "reasoning_effort": {"default": "medium", "max": "high"},
    "provider_options": {"anthropic": {"web_search_enabled": True}},
}


class CreateModel(_Body):
    """A model to be offered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ai_provider_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
                    "model": "claude-sonnet-4-5",
                    "context_limit": 200_000,
                    "model_config": _CONFIG_EXAMPLE,
                }
            ]
        }
    )

    ai_provider_id: UUID
    model: Annotated[_Name, Field(min_length=1, examples=["claude-sonnet-4-5"])]
    display_name: _Name = ""
    enabled: bool = True
    is_default: bool = False
    context_limit: _ContextLimit = Field(examples=[200_000])
    compression_threshold: _Percent | None = Field(
        default=None, description="Percent at which the conversation is summarized; 100: never."
    )
    config: CallConfig | None = Field(default=None, alias="model_config")


class EditModel(_Body):
    """What is to be changed. What is absent, null or empty stays."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"is_default": True, "model_config": _CONFIG_EXAMPLE}]}
    )

    ai_provider_id: UUID | None = None
    model: _Name | None = None
    display_name: _Name | None = None
    enabled: bool | None = None
    is_default: bool | None = None
    context_limit: _ContextLimit | None = None
    compression_threshold: _Percent | None = None
    config: CallConfig | None = Field(default=None, alias="model_config")

    def columns(self) -> dict[str, Any]:
        """What is to be written into the model's row."""
        given = self.model_dump(exclude={"config"}, exclude_none=True)
        columns = {name: value for name, value in given.items() if value != ""}
        if self.config is not None:
            columns["call_config"] = self.config.stored()
        return columns


class ChatModel(BaseModel):
    """A model on offer."""

    id: UUID
    organization_id: UUID
    ai_provider_id: UUID
    model: str
    display_name: str
    enabled: bool
    is_default: bool
    context_limit: int
    compression_threshold: int
    config: dict[str, Any] | None = Field(default=None, serialization_alias="model_config")
    reasoning_efforts: list[Effort] | None = None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, record: ModelRecord) -> Self:
        config = record.config or CallConfig()
        return cls(
            id=record.id,
            organization_id=record.organization_id,
            ai_provider_id=record.provider_id,
            model=record.model,
            display_name=record.display_name,
            enabled=record.enabled,
            is_default=record.is_default,
            context_limit=record.context_limit,
            compression_threshold=record.compression_threshold,
            config=config.stored() or None,
            reasoning_efforts=list(config.selectable_efforts()) or None,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )


class OfferingProvider(BaseModel):
    """A provider, as those who choose a model see it: neither address nor key."""

    id: UUID
    type: ProviderType
    display_name: str
    icon: str
    enabled: bool
    has_api_key: bool
    has_user_api_key: bool
    has_effective_api_key: bool
    allow_user_api_key: bool
    available: bool
    unavailable_reason: Unavailable | None = None


class UnsupportedProvider(BaseModel):
    provider: str
    display_name: str


class Catalog(BaseModel):
    """All that can be chosen from."""

    models: list[ChatModel]
    providers: list[OfferingProvider]
    unsupported_providers: list[UnsupportedProvider]
