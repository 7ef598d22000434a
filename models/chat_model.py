"""A model as it is configured for one chat. Pure."""

from dataclasses import dataclass
from uuid import UUID

from models.model_options import CallConfig, Prices
from models.providers import Dialect, ProviderType, dialect_of


@dataclass(frozen=True, slots=True)
class ChatModel:
    """What a call of the chat's model needs to know of it.

    Attributes:
        provider: short name of the provider, for metrics and failures.
        provider_type: what kind of provider it is.
        model: the vendor's name.
        context_limit: tokens it takes, as configured.
        compaction_threshold: of the chat's owner on this model, in percent.
        prices: as configured, or else as publicly known.
    """

    config_id: UUID
    provider_id: UUID
    provider: str
    provider_type: ProviderType
    model: str
    context_limit: int
    compaction_threshold: int
    config: CallConfig
    prices: Prices = Prices()

    @property
    def is_remembered(self) -> bool:
        """Whether the vendor keeps the conversation, so that an answer's id can stand for it."""
        speaks = dialect_of(self.provider_type, self.config) is Dialect.OPENAI_RESPONSES
        return speaks and self.config.provider_options.openai.store
