"""What the message routes take and give."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.content import InputPart
from api.schemas import EFFORT, ChatMessage, QueuedMessage

_NOT_YET: Any = Field(default=None, description="Not available in this version.")


class SendChatMessage(BaseModel):
    """A message for a chat."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content": [{"type": "text", "text": "And in Lisbon?"}]}]}
    )

    content: list[InputPart]
    model_config_id: UUID | None = Field(default=None, description="Absent: the one used last.")
    busy_behavior: Literal["queue", "interrupt", "steer"] = Field(
        default="queue",
        description="What to do when a turn is running: wait for its end, stop it, or join it before its "
        "next model call, with its tools left alone.",
    )
    reasoning_effort: str | None = Field(default=None, description=EFFORT)
    mcp_server_ids: list[UUID] | None = _NOT_YET
    plan_mode: str | None = _NOT_YET


class SentMessage(BaseModel):
    """What became of a message: it entered history, or it waits in the queue.

    `messages` are all rows that entered history with it, for instance results of tool calls that its
    arrival has closed, or an older message of the queue.
    """

    model_config = ConfigDict(extra="forbid")

    message: ChatMessage | None = None
    messages: list[ChatMessage] = Field(default_factory=list[ChatMessage])
    queued_message: QueuedMessage | None = None
    queued: bool


class EditChatMessage(BaseModel):
    """What is to stand in the place of a message."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content": [{"type": "text", "text": "And in Porto?"}]}]}
    )

    content: list[InputPart]
    model_config_id: UUID | None = Field(default=None, description="Absent: the one of the message.")
    reasoning_effort: str | None = Field(default=None, description="Absent: the one of the message.")
    mcp_server_ids: list[UUID] | None = _NOT_YET


class EditedMessage(BaseModel):
    """What became of an edit: clients drop the deleted messages and take in the new ones.

    `messages` are all rows that entered history, `message` among them: results of tool calls that had none
    come before it.
    """

    model_config = ConfigDict(extra="forbid")

    message: ChatMessage
    messages: list[ChatMessage]
    deleted_message_ids: list[int]


class Prompt(BaseModel):
    """The words of a message."""

    model_config = ConfigDict(extra="forbid")

    id: int
    text: str


class PromptPage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompts: list[Prompt]


class MessagePage(BaseModel):
    """A page of history, and on the page without a cursor the queue."""

    model_config = ConfigDict(extra="forbid")

    messages: list[ChatMessage]
    queued_messages: list[QueuedMessage]
    has_more: bool
