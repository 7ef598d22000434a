"""The tables, a file per aggregate. Importing this package registers all of them."""

from sqlmodel import SQLModel

from models.tables.accounts import ApiToken, Organization, User
from models.tables.catalog import (
    AiProvider,
    AiProviderKey,
    CompactionThreshold,
    DeploymentSetting,
    MemberModelOverride,
    ModelConfig,
    ModelOverride,
    UserAiProviderKey,
    UserPrompt,
)
from models.tables.chats import Chat, Draft, Message, QueuedMessage, Step, ToolResult

metadata = SQLModel.metadata

__all__ = [
    "AiProvider",
    "AiProviderKey",
    "ApiToken",
    "Chat",
    "CompactionThreshold",
    "DeploymentSetting",
    "Draft",
    "MemberModelOverride",
    "Message",
    "ModelConfig",
    "ModelOverride",
    "Organization",
    "QueuedMessage",
    "Step",
    "ToolResult",
    "User",
    "UserAiProviderKey",
    "UserPrompt",
    "metadata",
]
