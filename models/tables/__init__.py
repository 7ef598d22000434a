"""The tables, a file per aggregate. Importing this package registers all of them."""

from sqlmodel import SQLModel

from models.tables.accounts import (
    ApiToken,
    Group,
    GroupMember,
    Membership,
    Organization,
    User,
    UserIdentity,
)
from models.tables.audit import AuditRecord
from models.tables.catalog import CompactionThreshold, ModelConfig
from models.tables.chats import Chat, Draft, Message, QueuedMessage, Step, ToolResult
from models.tables.files import Blob, File, SigningKey
from models.tables.inbox import InboxNotification
from models.tables.sharing import ChatGroupReader, ChatUserReader

metadata = SQLModel.metadata

__all__ = [
    "ApiToken",
    "AuditRecord",
    "Blob",
    "Chat",
    "ChatGroupReader",
    "ChatUserReader",
    "CompactionThreshold",
    "Draft",
    "File",
    "InboxNotification",
    "Group",
    "GroupMember",
    "Membership",
    "Message",
    "ModelConfig",
    "Organization",
    "QueuedMessage",
    "SigningKey",
    "Step",
    "ToolResult",
    "User",
    "UserIdentity",
    "metadata",
]
