"""Providers and models as processes remember them: whole, frozen, read rarely.

These are the queries behind `runtime.configuration`; nothing else reads configuration for a turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import structlog
from pydantic import ValidationError
from sqlalchemy import RowMapping, Text, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.model_options import CallConfig
from models.providers import KeyPolicy, Preset, ProviderSettings, ProviderType
from models.store.reading import reading
from models.store.tables import (
    ai_provider_keys,
    ai_providers,
    compaction_thresholds,
    model_configs,
    model_overrides,
    user_ai_provider_keys,
    user_prompts,
)

log = structlog.get_logger(__name__)

PROVIDER_LABEL = case((ai_providers.c.preset == Preset.DEMO, Preset.DEMO.value), else_=ai_providers.c.type)
"""The short name under which metrics, failures and signatures know a provider."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A sealed secret with the name of its row."""

    data: bytes
    master_key_id: str
    belongs_to: str


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """A provider as stored. `organization_id` None: everybody's. `broken`: why its row makes no sense."""

    id: UUID
    organization_id: UUID | None
    type: ProviderType
    preset: Preset | None
    name: str
    display_name: str
    icon: str
    base_url: str | None
    enabled: bool
    settings: ProviderSettings
    policy: KeyPolicy
    key: StoredSecret | None
    created_at: datetime
    updated_at: datetime
    broken: str | None = None

    @property
    def label(self) -> str:
        """The short name under which metrics, failures and signatures know it."""
        return Preset.DEMO if self.preset is Preset.DEMO else self.type


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model as stored. `config` is None where what is stored makes no sense; `everyone`: all members may
    use it, and not only those whom it is shared with."""

    id: UUID
    organization_id: UUID
    provider_id: UUID
    model: str
    display_name: str
    enabled: bool
    is_default: bool
    deleted: bool
    everyone: bool
    context_limit: int
    compression_threshold: int
    config: CallConfig | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a user set: a prompt of their own, and thresholds by model, in percent."""

    custom_prompt: str | None = None
    thresholds: Mapping[UUID, int] = field(default_factory=dict[UUID, int])


@dataclass(frozen=True, slots=True)
class Override:
    """The model for one purpose. `effort` is a word of the scale, or None for the model's own."""

    model_config_id: UUID
    effort: str | None


def provider_secret(provider_id: UUID) -> str:
    """What a provider's own key belongs to, see `runtime.secrets`."""
    return f"ai_provider_keys/{provider_id}"


def user_secret(user_id: UUID, provider_id: UUID) -> str:
    """What a user's key belongs to."""
    return f"user_ai_provider_keys/{user_id}/{provider_id}"


PROVIDERS = select(ai_providers, ai_provider_keys.c.sealed, ai_provider_keys.c.master_key_id).outerjoin(
    ai_provider_keys, ai_provider_keys.c.ai_provider_id == ai_providers.c.id
)
"""Rows for `provider_of`."""


async def read_providers(engine: AsyncEngine) -> Mapping[UUID, ProviderRecord]:
    """All providers there are, with their own keys still sealed. One of a type that this version does not
    know is left out."""
    async with reading(engine) as conn:
        result = await conn.execute(
            PROVIDERS.where(
                ai_providers.c.deleted.is_(False), ai_providers.c.type.in_([*ProviderType])
            ).order_by(ai_providers.c.created_at, ai_providers.c.id)
        )
        return MappingProxyType({row["id"]: provider_of(row) for row in result.mappings()})


def provider_of(row: RowMapping) -> ProviderRecord:
    """A row of `ai_providers`, with its key if that was read along."""
    broken, settings, preset = None, ProviderSettings(), None
    try:
        settings = ProviderSettings.model_validate(row["settings"])
        preset = Preset(row["preset"]) if row["preset"] else None
    except ValueError as error:
        broken = f"its settings cannot be read ({type(error).__name__})"
        log.error("a provider's row cannot be used", provider=row["name"], error=type(error).__name__)
    sealed = row.get("sealed")
    key = StoredSecret(sealed, row["master_key_id"], provider_secret(row["id"])) if sealed else None
    return ProviderRecord(
        **{name: row[name] for name in _PLAIN},
        type=ProviderType(row["type"]),
        preset=preset,
        settings=settings,
        policy=KeyPolicy(**{name: row[name] for name in KeyPolicy.model_fields}),
        key=key,
        broken=broken,
    )


_PLAIN = (
    "id",
    "organization_id",
    "name",
    "display_name",
    "icon",
    "base_url",
    "enabled",
    "created_at",
    "updated_at",
)


async def read_model(engine: AsyncEngine, model_config_id: UUID) -> ModelRecord | None:
    """A model, deleted ones included."""
    async with reading(engine) as conn:
        result = await conn.execute(select(model_configs).where(model_configs.c.id == model_config_id))
        row = result.mappings().one_or_none()
        return None if row is None else model_of(row)


async def read_named_model(
    engine: AsyncEngine, organization_id: UUID, provider_id: UUID, model: str
) -> ModelRecord | None:
    """The model that an organization has of a provider under this name of the vendor's."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(model_configs).where(
                model_configs.c.organization_id == organization_id,
                model_configs.c.ai_provider_id == provider_id,
                model_configs.c.model == model,
                model_configs.c.deleted.is_(False),
            )
        )
        row = result.mappings().one_or_none()
        return None if row is None else model_of(row)


async def read_default_model(engine: AsyncEngine, organization_id: UUID) -> ModelRecord | None:
    """The default of an organization."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(model_configs).where(
                model_configs.c.organization_id == organization_id, model_configs.c.is_default
            )
        )
        row = result.mappings().one_or_none()
        return None if row is None else model_of(row)


def model_of(row: RowMapping) -> ModelRecord:
    """A row of `model_configs`."""
    try:
        config = CallConfig.model_validate(row["call_config"])
    except ValidationError as error:
        log.error("a model's configuration cannot be used", model_config_id=str(row["id"]), of=error.title)
        config = None
    return ModelRecord(
        id=row["id"],
        organization_id=row["organization_id"],
        provider_id=row["ai_provider_id"],
        model=row["model"],
        display_name=row["display_name"],
        enabled=row["enabled"],
        is_default=row["is_default"],
        deleted=row["deleted"],
        everyone=row["everyone"],
        context_limit=row["context_limit"],
        compression_threshold=row["compression_threshold"],
        config=config,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def read_preferences(engine: AsyncEngine, user_id: UUID) -> Preferences:
    """What a user set, in one statement; most have set nothing."""
    prompt = select(user_prompts.c.prompt).where(user_prompts.c.user_id == user_id)
    thresholds = select(
        func.jsonb_object_agg(
            cast(compaction_thresholds.c.model_config_id, Text), compaction_thresholds.c.threshold_percent
        )
    ).where(compaction_thresholds.c.user_id == user_id)
    async with reading(engine) as conn:
        result = await conn.execute(select(prompt.scalar_subquery(), thresholds.scalar_subquery()))
        row = result.one()
    percents: dict[str, int] = row[1] or {}
    return Preferences(
        row[0], MappingProxyType({UUID(model): percent for model, percent in percents.items()})
    )


async def read_user_keys(engine: AsyncEngine, user_id: UUID) -> Mapping[UUID, StoredSecret]:
    """A user's own keys by provider, still sealed."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(
                user_ai_provider_keys.c.ai_provider_id,
                user_ai_provider_keys.c.sealed,
                user_ai_provider_keys.c.master_key_id,
            ).where(user_ai_provider_keys.c.user_id == user_id)
        )
        keys = {
            row.ai_provider_id: StoredSecret(
                row.sealed, row.master_key_id, user_secret(user_id, row.ai_provider_id)
            )
            for row in result
        }
    return MappingProxyType(keys)


async def read_overrides(engine: AsyncEngine, organization_id: UUID) -> Mapping[str, Override]:
    """The models an organization uses for single purposes, by context."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(
                model_overrides.c.context,
                model_overrides.c.model_config_id,
                model_overrides.c.reasoning_effort,
            ).where(model_overrides.c.organization_id == organization_id)
        )
        return MappingProxyType(
            {row.context: Override(row.model_config_id, row.reasoning_effort) for row in result}
        )
