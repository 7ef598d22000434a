"""The tables, a file per aggregate. Importing this package registers all of them."""

from sqlmodel import SQLModel

from models.tables.accounts import ApiToken, Organization, User
from models.tables.catalog import CompactionThreshold, ModelConfig
from models.tables.chats import Chat, Draft, Message, QueuedMessage, Step, ToolResult
from models.tables.files import Blob, File, SigningKey

metadata = SQLModel.metadata

__all__ = [
    "ApiToken",
    "Blob",
    "Chat",
    "CompactionThreshold",
    "Draft",
    "File",
    "Message",
    "ModelConfig",
    "Organization",
    "QueuedMessage",
    "SigningKey",
    "Step",
    "ToolResult",
    "User",
    "metadata",
]
