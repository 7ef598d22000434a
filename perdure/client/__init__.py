"""A client of the API for programs that drive agents: it repeats safely, resumes streams, and answers calls.

`Perdure` is where to begin; docs/client.md shows the rest.
"""

from perdure.client.actions import Approver, Decision
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
    Sent,
    User,
)
from perdure.client.tools import Tool, ToolFailed
from perdure.client.turns import Answer

__all__ = [
    "ActionRequiredEvent",
    "Answer",
    "ApiError",
    "Approver",
    "BadRequest",
    "Chat",
    "ChatFailure",
    "ChatInfo",
    "Chats",
    "Conflict",
    "ConnectionLost",
    "Decision",
    "Edited",
    "ErrorEvent",
    "Event",
    "Forbidden",
    "HistoryResetEvent",
    "KeyReused",
    "Message",
    "MessageEvent",
    "MessagePage",
    "MessageWithdrawn",
    "NoServer",
    "NotAuthenticated",
    "NotFound",
    "OtherEvent",
    "Part",
    "PartEvent",
    "PendingCall",
    "Perdure",
    "PerdureError",
    "PreviewResetEvent",
    "ProtocolError",
    "QueueEvent",
    "QueuedMessage",
    "RateLimited",
    "RetryEvent",
    "Sent",
    "Server",
    "ServerFault",
    "StatusEvent",
    "Tool",
    "ToolFailed",
    "TooLarge",
    "TurnFailed",
    "Unavailable",
    "User",
    "find_server",
]
