"""Which model serves a purpose beside the conversation: its summaries, and the names of chats and turns.

An organization may name a model for a purpose (spec api.md section 12). One that was deleted or disabled
counts as not named; any other is the one that is asked, and its failures are failures.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from activities.providers.directory import ProviderDirectory
from models.chat_model import ChatModel
from models.providers import ProviderType
from models.store.configuration import ModelRecord
from runtime.configuration.availability import Availability


class Purpose(StrEnum):
    """As organizations' overrides name them."""

    COMPACTION = "compaction"
    NAMES = "title_generation"


@dataclass(frozen=True, slots=True)
class Asked:
    """The model of one call, and the effort that is asked of it; None for the model's own."""

    model: ChatModel
    effort: str | None


CHEAP: tuple[tuple[ProviderType, str], ...] = (
    (ProviderType.ANTHROPIC, "claude-haiku-4-5"),
    (ProviderType.OPENAI, "gpt-4o-mini"),
    (ProviderType.GOOGLE, "gemini-2-5-flash"),
    (ProviderType.AZURE, "gpt-4o-mini"),
    (ProviderType.BEDROCK, "claude-haiku-4-5"),
    (ProviderType.VERTEX, "claude-haiku-4-5"),
    (ProviderType.OPENROUTER, "claude-3-5-haiku"),
    (ProviderType.VERCEL, "claude-haiku-4-5"),
)
"""Models that find names well enough, the preferred one first (spec agents-and-extras.md section 4)."""


async def named_model(
    directory: ProviderDirectory, purpose: Purpose, organization_id: UUID, owner_id: UUID
) -> Asked | None:
    """The model an organization has named for a purpose; None if it has not, or that cannot be asked.

    Raises:
        ModelCallError: what is stored of it makes no sense.
    """
    configuration = directory.configuration
    override = (await configuration.overrides(organization_id)).get(purpose)
    if override is None:
        return None
    record = await configuration.model(override.model_config_id)
    if record is None or record.deleted or not record.enabled or record.organization_id != organization_id:
        return None
    provider = (await configuration.providers()).get(record.provider_id)
    if provider is None or not provider.enabled:
        return None
    return Asked(await directory.model(record.id, organization_id, owner_id), override.effort)


async def naming_model(
    directory: ProviderDirectory, chats_model_id: UUID, organization_id: UUID, owner_id: UUID
) -> Asked:
    """The model that finds names: the one that is named for it, else a cheap one, else that of the chat.

    Only what the organization has configured is asked: what is not has no price, and nobody has allowed it.

    Raises:
        ModelCallError: there is none that could be called.
    """
    named = await named_model(directory, Purpose.NAMES, organization_id, owner_id)
    if named is not None:
        return named
    cheap = await _cheap_model(directory, organization_id, owner_id)
    return Asked(await directory.model(cheap or chats_model_id, organization_id, owner_id), None)


async def _cheap_model(directory: ProviderDirectory, organization_id: UUID, owner_id: UUID) -> UUID | None:
    """The first cheap model that can be called for this user."""
    configuration = directory.configuration
    availability = Availability(configuration, directory.keys)
    types = {provider.id: provider.type for provider in (await configuration.providers()).values()}
    offered = await configuration.models_of(organization_id)
    for type_, name in CHEAP:
        for record in offered:
            if types.get(record.provider_id) is type_ and _is(record, name):
                usable = await availability.usable_model(organization_id, owner_id, record.id)
                if usable is not None:
                    return usable.id
    return None


def _is(record: ModelRecord, name: str) -> bool:
    """Vendors put dots, dates, regions and their own names around the name of a model."""
    return name in record.model.lower().replace(".", "-")
