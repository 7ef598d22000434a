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
from models.tables.chats import Chat, Draft, Message, QueuedMessage, StagedEdit, Step, ToolResult
from models.tables.files import Blob, File, SigningKey
from models.tables.gateway import GatewayCall
from models.tables.inbox import InboxNotification
from models.tables.sharing import ChatGroupReader, ChatUserReader, ModelGroupReader, ModelUserReader
from models.tables.spending import Budget, Spending

metadata = SQLModel.metadata

__all__ = [
    "AiProvider",
    "AiProviderKey",
    "ApiToken",
    "AuditRecord",
    "Blob",
    "Budget",
    "Chat",
    "ChatGroupReader",
    "ChatUserReader",
    "CompactionThreshold",
    "DeploymentSetting",
    "Draft",
    "File",
    "GatewayCall",
    "Group",
    "GroupMember",
    "InboxNotification",
    "MemberModelOverride",
    "Membership",
    "Message",
    "ModelConfig",
    "ModelGroupReader",
    "ModelOverride",
    "ModelUserReader",
    "Organization",
    "QueuedMessage",
    "SigningKey",
    "Spending",
    "StagedEdit",
    "Step",
    "ToolResult",
    "User",
    "UserAiProviderKey",
    "UserPrompt",
    "UserIdentity",
    "metadata",
]
