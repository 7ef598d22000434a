"""The JSON of the API as types.

What a newer server sends beyond them is kept: fields in `model_extra`, kinds of parts, states and roles as
the text they are. Ids of chats, users and models are opaque text, ids of messages are numbers.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue


class Shape(BaseModel):
    """An object of the API."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def to_json(self) -> dict[str, Any]:
        """The object as it was sent, unknown fields among the rest."""
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class Part(Shape):
    """One part of a message; which fields it has depends on `type` (`text`, `reasoning`, `tool-call`,
    `tool-result`, `file`, `file-reference`, ...)."""

    type: str
    text: str = ""
    tool_call_id: str = ""
    tool_name: str = ""
    args: JsonValue = None
    args_delta: str | None = None
    result: JsonValue = None
    is_error: bool = False
    is_media: bool = False
    file_id: str = ""
    media_type: str = ""
    name: str = ""
    file_name: str = ""
    start_line: int = 0
    end_line: int = 0
    content: str = ""
    created_at: datetime | None = None
    completed_at: datetime | None = None


class Message(Shape):
    """A message in history. `role` is `user`, `assistant`, `tool` or `system`."""

    id: int
    chat_id: str
    role: str
    created_at: datetime
    created_by: str | None = None
    model_config_id: str | None = None
    content: tuple[Part, ...] = ()
    usage: dict[str, int] = {}

    @property
    def text(self) -> str:
        """The words in it, without reasoning and tools."""
        return text_of(self.content)


class QueuedMessage(Shape):
    """A message that waits for the running turn to end."""

    id: int
    chat_id: str = ""
    model_config_id: str | None = None
    content: tuple[Part, ...] = ()
    created_at: datetime | None = None

    @property
    def text(self) -> str:
        """The words in it."""
        return text_of(self.content)


class MessagePage(Shape):
    """A page of history, and on the page without a cursor the queue."""

    messages: list[Message]
    queued_messages: list[QueuedMessage] = []
    has_more: bool = False


class Sent(Shape):
    """What became of a message: in history (`message`), or in the queue (`queued_message`).

    `messages` are all that entered history with it, for instance results that its arrival has closed.
    """

    message: Message | None = None
    messages: list[Message] = []
    queued_message: QueuedMessage | None = None
    queued: bool


class Edited(Shape):
    """A message that replaced another one; what had followed that one is gone."""

    message: Message
    messages: list[Message] = []
    deleted_message_ids: list[int] = []


class ChatFailure(Shape):
    """Why a chat rests in `error`."""

    message: str
    detail: str | None = None
    kind: str | None = None
    provider: str | None = None
    retryable: bool = False
    status_code: int | None = None


class ChatInfo(Shape):
    """A chat. `status` is `waiting`, `running`, `interrupting`, `requires_action` or `error`."""

    id: str
    organization_id: str
    owner_id: str
    title: str
    status: str
    archived: bool
    created_at: datetime
    updated_at: datetime
    last_model_config_id: str | None = None
    parent_chat_id: str | None = None
    root_chat_id: str | None = None
    last_error: ChatFailure | None = None
    last_turn_summary: str | None = None
    summary: str | None = None
    labels: dict[str, str] = {}
    pin_order: int = 0
    shared: bool = False
    has_unread: bool = False
    client_type: str = "api"
    children: list["ChatInfo"] = []


class RoleName(Shape):
    """A role by name."""

    name: str
    display_name: str = ""


class User(Shape):
    """A user. `roles` are those on the whole site, `status` is `active` or `suspended`."""

    id: str
    username: str
    name: str = ""
    email: str = ""
    status: str = "active"
    organization_ids: list[str] = []
    roles: list[RoleName] = []
    created_at: datetime | None = None
    last_seen_at: datetime | None = None


class PendingCall(Shape):
    """A call that waits: for this program's `result`, or for an `approval`. `args` is JSON text."""

    tool_call_id: str
    tool_name: str
    args: str = "{}"
    action: str = "result"


def text_of(content: tuple[Part, ...]) -> str:
    """The words in parts, without reasoning and tools."""
    return "".join(part.text for part in content if part.type == "text")
