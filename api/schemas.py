"""Shapes that several routes share in their answers, for the OpenAPI document and the tests.

Answers are built by `api.payloads`; a test holds the two together.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.errors import ErrorBody
from models.failures import FailureKind

EFFORT = "How hard the model is to think: none, minimal, low, medium, high, xhigh or max. Absent: as before."


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChatError(_Shape):
    """Why a chat rests in `error`."""

    message: str = Field(examples=["Anthropic is overloaded. Gave up after 25 attempts."])
    detail: str | None = None
    kind: FailureKind | None = None
    provider: str | None = None
    retryable: bool
    status_code: int | None = None


class ChatDiffStatus(_Shape):
    """What is known of the changes a chat has made in a repository."""

    chat_id: UUID
    pull_request_title: str
    pull_request_draft: bool
    changes_requested: bool
    additions: int
    deletions: int
    changed_files: int


class ChatFile(_Shape):
    """A file of a chat."""

    id: UUID
    owner_id: UUID
    organization_id: UUID
    name: str
    mime_type: str
    size_bytes: int
    created_at: datetime


class Chat(_Shape):
    """A chat. Fields without a value are absent, except those documented as required."""

    id: UUID
    organization_id: UUID
    owner_id: UUID
    owner_username: str | None = None
    owner_name: str | None = None
    parent_chat_id: UUID | None = Field(default=None, description="In chats of subagents only.")
    root_chat_id: UUID | None = None
    last_model_config_id: UUID
    last_reasoning_effort: str | None = Field(default=None, examples=["high"])
    title: str = Field(examples=["What time is it?"])
    status: Literal["waiting", "running", "error", "interrupting", "requires_action"]
    mode: Literal["computer_use", "explore", "orchestrator"] | None = None
    last_error: ChatError | None = None
    diff_status: ChatDiffStatus | None = Field(default=None, description="Always there in lists.")
    last_turn_summary: str | None
    summary: str | None
    created_at: datetime
    updated_at: datetime
    archived: bool
    shared: bool
    pin_order: int = Field(description="Place among the pinned chats, from 1; 0: not pinned.")
    mcp_server_ids: list[UUID]
    labels: dict[str, str] = Field(examples=[{"project": "atlas"}])
    has_unread: bool = Field(description="In lists and `children`: there is an answer beyond what was read.")
    client_type: Literal["ui", "api"]
    active_tools: list[str] | None = Field(
        default=None, description="On its own, where not all tools of the deployment may be called."
    )
    files: list[ChatFile] | None = Field(default=None, description="When created, and on its own.")
    children: list["Chat"] = Field(description="Of a root, in lists and on its own: the newest 100.")


class MessagePart(_Shape):
    """One part of a message, told apart by `type`; the other fields depend on it."""

    type: Literal["text", "reasoning", "tool-call", "tool-result", "source", "file", "file-reference"]
    text: str | None = Field(default=None, examples=["It is a quarter past ten."])
    tool_call_id: str | None = None
    tool_name: str | None = None
    args: JsonValue = None
    args_delta: str | None = Field(default=None, description="In streams only: more of the arguments.")
    parsed_commands: list[list[str]] | None = Field(
        default=None,
        description="Of a call of the shell tool: the programs that it runs, each with its first argument.",
        examples=[[["git", "status"], ["make"]]],
    )
    result: JsonValue = None
    is_error: bool | None = None
    is_media: bool | None = Field(
        default=None, description="`result` holds `media_type`, `data` in base64, and `text`."
    )
    provider_executed: bool | None = Field(default=None, description="The provider runs it itself.")
    source_id: str | None = None
    url: str | None = None
    title: str | None = None
    file_id: UUID | None = Field(
        default=None, description="In a message of the model: a file that one of its tools has attached."
    )
    media_type: str | None = None
    name: str | None = None
    data: str | None = Field(default=None, description="Base64; absent where `file_id` is there.")
    file_name: str | None = None
    start_line: int | None = None
    end_line: int | None = None
    content: str | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None


class ChatMessage(_Shape):
    """A message in history."""

    id: int = Field(examples=[4711])
    chat_id: UUID
    created_by: UUID | None = None
    model_config_id: UUID | None = None
    created_at: datetime
    role: Literal["system", "user", "assistant", "tool"]
    content: list[MessagePart] = Field(default_factory=list[MessagePart])
    usage: dict[str, int] | None = Field(
        default=None, examples=[{"input_tokens": 1200, "output_tokens": 35, "total_tokens": 1235}]
    )


class QueuedMessage(_Shape):
    """A message that waits for the running turn to end."""

    id: int
    chat_id: UUID
    model_config_id: UUID | None = None
    content: list[MessagePart]
    created_at: datetime


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` entries of error answers. Everywhere a token may be missing, not good for this, or used
    too often."""
    return {status: {"model": ErrorBody} for status in (401, 403, 429, *statuses)}
