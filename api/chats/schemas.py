"""What the chat routes take."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.content import InputPart


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
    system_prompt: str | None = Field(default=None, description="Added to the deployment's own prompt.")
    model_config_id: UUID | None = Field(default=None, description="Absent: the organization's default.")
    labels: dict[str, str] | None = None
    client_type: Literal["ui", "api"] = "api"
    workspace_id: UUID | None = Field(default=None, deprecated="Not available in this version.")
    mcp_server_ids: list[UUID] | None = Field(default=None, deprecated="Not available in this version.")
    unsafe_dynamic_tools: list[dict[str, Any]] | None = Field(
        default=None, deprecated="Not available in this version."
    )
    plan_mode: str | None = Field(default=None, deprecated="Not available in this version.")
    reasoning_effort: str | None = Field(default=None, deprecated="Not available in this version.")
    orchestrator: bool | None = Field(default=None, deprecated="Not available in this version.")


class EditChat(BaseModel):
    """Changes to a chat; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Clocks"}, {"archived": True}]})

    title: str | None = None
    labels: dict[str, str] | None = Field(default=None, description="Replaces all labels.")
    archived: bool | None = None
    pin_order: int | None = Field(default=None, deprecated="Not available in this version.")
    workspace_id: UUID | None = Field(default=None, deprecated="Not available in this version.")
    plan_mode: str | None = Field(default=None, deprecated="Not available in this version.")
