"""What the chat routes take."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from api.content import InputPart, Json, Text
from api.schemas import EFFORT

_NOT_YET: Any = Field(default=None, description="Not available in this version.")

MAX_TOOLS = 250

ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$", examples=["open_page"])]
"""What every provider takes as the name of a tool."""


_ACTIVE = (
    "Tools of the deployment that may be called in this chat, from the next model call on; the others are "
    "neither offered nor run. Empty: all. Tools of the client are always active."
)


class DynamicToolInput(BaseModel):
    """A tool of the client. `inputSchema`, as MCP writes it, is understood, too."""

    name: ToolName
    description: Text = Field(default="", max_length=20_000)
    input_schema: dict[str, Json] = Field(
        default_factory=dict[str, Json],
        validation_alias=AliasChoices("input_schema", "inputSchema"),
        description="JSON schema of an object.",
    )


class CreateChat(BaseModel):
    """A new chat and its first message."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "organization_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
                    "content": [{"type": "text", "text": "What time is it?"}],
                    "labels": {"project": "atlas"},
                }
            ]
        }
    )

    organization_id: UUID
    content: list[InputPart]
    system_prompt: Text | None = Field(default=None, description="Added to the deployment's own prompt.")
    model_config_id: UUID | None = Field(default=None, description="Absent: the organization's default.")
    labels: dict[Text, Text] | None = None
    client_type: Literal["ui", "api"] = "api"
    workspace_id: UUID | None = _NOT_YET
    mcp_server_ids: list[UUID] | None = _NOT_YET
    unsafe_dynamic_tools: list[DynamicToolInput] | None = Field(
        default=None,
        max_length=MAX_TOOLS,
        description="Tools that the client runs: the chat waits for its results.",
    )
    approval_required_tools: list[ToolName] | None = Field(
        default=None,
        max_length=MAX_TOOLS,
        description="Tools, of the deployment or of the client, whose calls wait for approval in this chat.",
    )
    active_tools: list[ToolName] | None = Field(default=None, max_length=MAX_TOOLS, description=_ACTIVE)
    plan_mode: str | None = _NOT_YET
    reasoning_effort: str | None = Field(default=None, description=EFFORT)
    orchestrator: bool | None = _NOT_YET


class EditChat(BaseModel):
    """Changes to a chat; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Clocks"}, {"archived": True}]})

    title: Text | None = None
    labels: dict[Text, Text] | None = Field(default=None, description="Replaces all labels.")
    archived: bool | None = None
    pin_order: int | None = Field(
        default=None,
        ge=0,
        description="0 unpins; any other number pins a chat behind all others, or moves one that is pinned.",
    )
    active_tools: list[ToolName] | None = Field(
        default=None, max_length=MAX_TOOLS, description=f"{_ACTIVE} Not together with `archived`."
    )
    workspace_id: UUID | None = _NOT_YET
    plan_mode: str | None = _NOT_YET


class ChatCost(BaseModel):
    """What a family of chats has cost, in millionths of a dollar."""

    model_config = ConfigDict(extra="forbid")

    chat_id: UUID
    total_cost_micros: int = Field(examples=[10500])
    request_count: int
    unpriced_request_count: int = Field(description="Requests whose cost is not known.")
