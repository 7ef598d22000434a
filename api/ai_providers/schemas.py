"""Shapes of providers. Keys come in and never go out."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from models.provider_check import ProviderCheck, ProviderChecked
from models.providers import MAX_KEY_BYTES, KeyChoice, ProviderSettings, ProviderType
from models.store.configuration import ProviderRecord
from runtime.configuration.keys import KeyRing


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("Must not contain NUL characters")
    return text


def _is_web_address_or_empty(text: str) -> str:
    return _is_web_address(text) if text else text


def _is_web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("Must be an address that begins with https:// or http://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("Must hold neither credentials nor a query")
    return text.rstrip("/")


def _is_key(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if not text or text != text.strip() or "\0" in text:
        raise ValueError("Must not be empty, and have no blanks around it")
    if len(text.encode()) > MAX_KEY_BYTES:
        raise ValueError(f"Must not be longer than {MAX_KEY_BYTES} bytes")
    return key


ApiKey = Annotated[SecretStr, AfterValidator(_is_key)]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", examples=["anthropic-eu"])]
_DisplayName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_no_nul)]
_Icon = Annotated[str, Field(max_length=500), AfterValidator(_no_nul)]
_BaseUrl = Annotated[str, Field(max_length=1000), AfterValidator(_is_web_address)]
_NewBaseUrl = Annotated[str, Field(max_length=1000), AfterValidator(_is_web_address_or_empty)]


class CreateProvider(BaseModel):
    """A provider to be added."""

    type: ProviderType
    name: _Name
    display_name: _DisplayName | None = None
    icon: _Icon = ""
    organization_id: UUID | None = Field(
        default=None,
        description="Whose provider it is. Without one, everybody's; only site owners add those.",
    )
    base_url: _BaseUrl | None = Field(default=None, examples=["https://llm.example.com/v1"])
    api_key: ApiKey | None = Field(
        default=None,
        description="Of bedrock also a JSON object with `access_key_id` and `secret_access_key`. "
        "Stored sealed, never returned.",
    )
    enabled: bool = True
    settings: ProviderSettings = ProviderSettings()
    central_api_key_enabled: bool = True
    allow_user_api_key: bool = False
    allow_central_api_key_fallback: bool = False


class EditProvider(BaseModel):
    """What is to be changed; what is absent stays. `api_key` null takes the stored key away."""

    name: _Name | None = None
    display_name: _DisplayName | None = None
    icon: _Icon | None = None
    base_url: _NewBaseUrl | None = Field(
        default=None, description="Empty: the vendor's own.", examples=["https://llm.example.com/v1"]
    )
    api_key: ApiKey | None = None
    enabled: bool | None = None
    settings: ProviderSettings | None = None
    central_api_key_enabled: bool | None = None
    allow_user_api_key: bool | None = None
    allow_central_api_key_fallback: bool | None = None

    @property
    def removes_key(self) -> bool:
        return "api_key" in self.model_fields_set and self.api_key is None

    def columns(self) -> dict[str, Any]:
        """What is to be written into the provider's row."""
        given = self.model_dump(exclude_none=True, exclude={"api_key", "settings", "base_url"})
        if self.settings is not None:
            given["settings"] = self.settings.stored()
        if self.base_url is not None:
            given["base_url"] = self.base_url or None
        return given


class Provider(BaseModel):
    """A provider, as its administrators see it."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    organization_id: UUID | None = Field(description="None: everybody's.")
    type: ProviderType
    name: str
    display_name: str
    icon: str
    base_url: str | None
    enabled: bool
    settings: dict[str, Any]
    central_api_key_enabled: bool
    allow_user_api_key: bool
    allow_central_api_key_fallback: bool
    has_api_key: bool = Field(description="There is a key that is nobody's own.")
    api_key_source: Literal["stored", "environment"] | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, record: ProviderRecord, keys: KeyRing) -> Self:
        has_key = keys.has_central_key(record)
        source = ("stored" if record.key else "environment") if has_key else None
        return cls(
            id=record.id,
            organization_id=record.organization_id,
            type=record.type,
            name=record.name,
            display_name=record.display_name,
            icon=record.icon,
            base_url=record.base_url,
            enabled=record.enabled,
            settings=record.settings.stored(),
            **record.policy.model_dump(),
            has_api_key=has_key,
            api_key_source=source,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )


class CheckProvider(BaseModel):
    """What to ask. Without a model, the oldest enabled one of the provider."""

    model: Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_no_nul)] | None = None


class CheckError(BaseModel):
    kind: str = Field(examples=["auth"])
    message: str
    detail: str | None = None


class CheckReport(BaseModel):
    """What a small call to a provider told."""

    ok: bool
    model: str = Field(description="The model that was asked.")
    answered_by: str | None = Field(description="The model that says it has answered, where one says so.")
    seconds: float
    first_part_seconds: float | None
    usage: dict[str, int]
    accepts_tools: bool | None = Field(description="None: not found out.")
    key: KeyChoice = Field(description="Whose key was used.")
    error: CheckError | None = None

    @classmethod
    def of(cls, check: ProviderCheck, checked: ProviderChecked, key: KeyChoice, detail: str | None) -> Self:
        error = None
        if checked.failed is not None:
            error = CheckError(kind=checked.failed, message=checked.message or "", detail=detail)
        return cls(
            ok=error is None,
            model=check.model,
            answered_by=checked.answered_by,
            seconds=checked.seconds,
            first_part_seconds=checked.first_part_seconds,
            usage=checked.usage,
            accepts_tools=checked.accepts_tools,
            key=key,
            error=error,
        )
