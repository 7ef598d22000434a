"""The JSON of the API as types. Fields that this client does not read are left out."""

from typing import Any, Literal, NotRequired, Required, TypedDict


class Part(TypedDict, total=False):
    """One part of a message; which fields it has depends on `type`."""

    type: Required[str]
    text: str
    tool_call_id: str
    tool_name: str
    args: Any
    args_delta: str
    result: Any
    is_error: bool
    file_name: str


class Message(TypedDict):
    """A message in history."""

    id: int
    chat_id: str
    role: Literal["system", "user", "assistant", "tool"]
    created_at: str
    content: NotRequired[list[Part]]


class QueuedMessage(TypedDict):
    """A message that waits for the running turn to end."""

    id: int
    content: list[Part]


class MessagePage(TypedDict):
    """A page of history."""

    messages: list[Message]
    queued_messages: list[QueuedMessage]
    has_more: bool


class Sent(TypedDict):
    """What became of a message: in history (`message`), or in the queue."""

    message: NotRequired[Message]
    queued: bool


class ChatError(TypedDict):
    """Why a chat rests in `error`."""

    message: str
    detail: NotRequired[str]
    provider: NotRequired[str]
    retryable: NotRequired[bool]


class Chat(TypedDict):
    """A chat."""

    id: str
    title: str
    status: str
    archived: bool
    created_at: str
    updated_at: str
    last_error: NotRequired[ChatError]


class PreviewPart(TypedDict):
    """A piece of the answer that is being written."""

    role: NotRequired[str]
    part: Part
    history_version: NotRequired[int]
    generation_attempt: NotRequired[int]
    seq: NotRequired[int]


class StatusChange(TypedDict):
    """The chat's new status."""

    status: str


class Retry(TypedDict):
    """A call of the model failed and will be repeated."""

    attempt: int
    delay_ms: int
    error: str


class Event(TypedDict, total=False):
    """One event of a stream; which fields it has depends on `type`."""

    type: Required[str]
    chat_id: str
    message: Message
    message_part: PreviewPart
    status: StatusChange
    error: ChatError
    retry: Retry
    queued_messages: list[QueuedMessage]


def text_of(content: list[Part] | None) -> str:
    """The words in a message, without reasoning and tools."""
    return "".join(part.get("text", "") for part in content or () if part["type"] == "text")
