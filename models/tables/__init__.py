"""The tables, a file per aggregate. Importing this package registers all of them."""

from sqlmodel import SQLModel

from models.tables.accounts import ApiToken, Organization, User
from models.tables.catalog import CompactionThreshold, ModelConfig
from models.tables.chats import Chat, Draft, Message, QueuedMessage, StagedEdit, Step, ToolResult

metadata = SQLModel.metadata

__all__ = [
    "ApiToken",
    "Chat",
    "CompactionThreshold",
    "Draft",
    "Message",
    "ModelConfig",
    "Organization",
    "QueuedMessage",
    "StagedEdit",
    "Step",
    "ToolResult",
    "User",
    "metadata",
]
