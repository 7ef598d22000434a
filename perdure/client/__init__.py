"""A client of the API for programs that drive agents: it repeats safely, resumes streams, and answers calls.

`Perdure` is where to begin; docs/client.md shows the rest.
"""

from perdure.client.actions import Approver, Decision
from perdure.client.catalog import (
    Catalog,
    CheckFailure,
    CheckReport,
    Model,
    OfferingProvider,
    Provider,
    ProviderKey,
)
from perdure.client.chat import Chat
from perdure.client.chats import Chats
from perdure.client.discovery import Server, find_server
from perdure.client.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    KeyReused,
    MessageWithdrawn,
    NoServer,
    NotAuthenticated,
    NotFound,
    PerdureError,
    ProtocolError,
    RateLimited,
    ServerFault,
    TooLarge,
    TurnFailed,
    Unavailable,
)
from perdure.client.events import (
    ActionRequiredEvent,
    ConnectionLost,
    ErrorEvent,
    Event,
    HistoryResetEvent,
    MessageEvent,
    OtherEvent,
    PartEvent,
    PreviewResetEvent,
    QueueEvent,
    RetryEvent,
    StatusEvent,
)
from perdure.client.files import DownloadLink, File
from perdure.client.inbox import InboxChange, InboxPage, Notification
from perdure.client.organizations import Group, GroupMember, Member, Organization
from perdure.client.perdure import Perdure
from perdure.client.shapes import (
    ChatFailure,
    ChatInfo,
    Edited,
    Message,
    MessagePage,
    Part,
    PendingCall,
    QueuedMessage,
    RoleName,
    Sent,
    User,
)
from perdure.client.sharing import Acl, Reader, ReaderGroup
from perdure.client.tools import Tool, ToolFailed
from perdure.client.turns import Answer
from perdure.client.users import NewToken, Token
from perdure.client.watching import ChatChange, Watching

__all__ = [
    "Acl",
    "ActionRequiredEvent",
    "Answer",
    "ApiError",
    "Approver",
    "BadRequest",
    "Catalog",
    "Chat",
    "ChatChange",
    "ChatFailure",
    "ChatInfo",
    "Chats",
    "CheckFailure",
    "CheckReport",
    "Conflict",
    "ConnectionLost",
    "Decision",
    "DownloadLink",
    "Edited",
    "ErrorEvent",
    "Event",
    "File",
    "Forbidden",
    "Group",
    "GroupMember",
    "HistoryResetEvent",
    "InboxChange",
    "InboxPage",
    "KeyReused",
    "Member",
    "Message",
    "MessageEvent",
    "MessagePage",
    "MessageWithdrawn",
    "Model",
    "NewToken",
    "NoServer",
    "NotAuthenticated",
    "NotFound",
    "Notification",
    "OfferingProvider",
    "Organization",
    "OtherEvent",
    "Part",
    "PartEvent",
    "PendingCall",
    "Perdure",
    "PerdureError",
    "PreviewResetEvent",
    "ProtocolError",
    "Provider",
    "ProviderKey",
    "QueueEvent",
    "QueuedMessage",
    "RateLimited",
    "Reader",
    "ReaderGroup",
    "RetryEvent",
    "RoleName",
    "Sent",
    "Server",
    "ServerFault",
    "StatusEvent",
    "Token",
    "TooLarge",
    "Tool",
    "ToolFailed",
    "TurnFailed",
    "Unavailable",
    "User",
    "Watching",
    "find_server",
]
