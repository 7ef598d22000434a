"""A small call to a provider, made to learn whether it works. Pure."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from models.failures import FailureKind

DETAIL_SECONDS = 300
"""The provider's own words about a failed check are kept for this long."""


class ProviderCheck(BaseModel):
    """What to ask. `model_config_id`: the configuration to ask with, if the model is configured."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    id: UUID
    provider_id: UUID
    user_id: UUID
    model: str
    model_config_id: UUID | None = None


class ProviderChecked(BaseModel):
    """What came of it: names and numbers. What the provider said of a failure does not travel through
    Temporal, see `detail_key`."""

    model_config = ConfigDict(frozen=True)

    failed: FailureKind | None = None
    message: str | None = None
    answered_by: str | None = None
    seconds: float = 0.0
    first_part_seconds: float | None = None
    usage: dict[str, int] = {}
    accepts_tools: bool | None = None


def detail_key(check_id: UUID) -> str:
    """Under which Redis has the provider's own words about a failed check."""
    return f"perdure:provider-check:{check_id}"
