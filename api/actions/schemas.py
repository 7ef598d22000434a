"""What the routes of answers take."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.content import Json, Text


class ToolResult(BaseModel):
    """What a tool of the client has answered."""

    tool_call_id: Text
    output: Json = Field(
        description="Any JSON. What is longer than a third of what the model takes in is cut in the middle."
    )
    is_error: bool = False


class SubmitToolResults(BaseModel):
    """Results of all calls that wait for the client."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"results": [{"tool_call_id": "toolu_01", "output": {"ok": True}}]}]}
    )

    results: list[ToolResult]


class ApprovalDecision(BaseModel):
    """Whether a call may run."""

    tool_call_id: Text
    decision: Literal["approve", "deny"]
    reason: Text | None = Field(default=None, max_length=10_000, description="Told to the model when denied.")


class DecideApprovals(BaseModel):
    """Decisions about some or all of the calls that wait for approval."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "approvals": [
                        {"tool_call_id": "toolu_01", "decision": "deny", "reason": "Not on a Friday."}
                    ]
                }
            ]
        }
    )

    approvals: list[ApprovalDecision]
