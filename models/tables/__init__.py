"""The tables, a file per aggregate. Importing this package registers all of them."""

from sqlmodel import SQLModel

from models.tables.accounts import ApiToken, Organization, User
from models.tables.catalog import CompactionThreshold, ModelConfig
from models.tables.chats import Chat, Draft, Message, QueuedMessage, Step, ToolResult
from models.tables.inbox import InboxNotification

metadata = SQLModel.metadata

__all__ = [
    "ApiToken",
    "Chat",
    "CompactionThreshold",
    "Draft",
    "InboxNotification",
    "Message",
    "ModelConfig",
    "Organization",
    "QueuedMessage",
    "Step",
    "ToolResult",
    "User",
    "metadata",
]
