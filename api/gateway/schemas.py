"""What passes through the gateway, as far as it can be described, and the shapes of what is recorded."""

from datetime import datetime
from typing import Any, Literal, Self, cast
from uuid import UUID

from pydantic import BaseModel, Field

from models.store.gateway_calls import CallRecord


class AnthropicErrorDetail(BaseModel):
    type: str = Field(examples=["not_found_error"])
    message: str


class OpenAIErrorDetail(BaseModel):
    message: str
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = None
    code: str | None = None


class VendorError(BaseModel):
    """An error, of the gateway or of the vendor, in the vendor's shape: Anthropic's has `type: error`, and
    OpenAI's a `code`."""

    type: Literal["error"] | None = None
    error: AnthropicErrorDetail | OpenAIErrorDetail
    request_id: str | None = None


_ERRORS = (400, 401, 403, 404, 408, 413, 429, 502, 503, 504)

PASSED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the vendor answers.",
        "content": {"application/json": {"schema": {}}, "text/event-stream": {"schema": {"type": "string"}}},
    },
    **{status: {"model": VendorError} for status in _ERRORS},
    "default": {"description": "Whatever else the vendor answers."},
}
"""The answers of a route that passes through."""


def asks(example: dict[str, Any]) -> dict[str, Any]:
    """The description of a body that is the vendor's to check."""
    schema = {
        "type": "object",
        "properties": {"model": {"type": "string", "minLength": 1, "maxLength": 200}},
        "required": ["model"],
    }
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example}},
        }
    }


_Endpoint = Literal["messages", "responses", "chat_completions"]
_Outcome = Literal["completed", "failed", "unfinished", "lost"]


class Initiator(BaseModel):
    """Who made a call."""

    id: UUID
    username: str


class ToolUsage(BaseModel):
    """A tool that the model asked for. `provider_executed`: the vendor ran it."""

    id: str = Field(examples=["toolu_01"])
    name: str = Field(examples=["read_file"])
    provider_executed: bool


class TokenUsage(BaseModel):
    """Tokens of a call; `input_tokens` without cached ones, `output_tokens` with reasoning."""

    input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cache_read_tokens: int
    cache_creation_tokens: int


class Interception(BaseModel):
    """A call that went through the gateway."""

    id: UUID
    organization_id: UUID
    initiator: Initiator
    provider: str = Field(examples=["anthropic"])
    model: str = Field(examples=["claude-sonnet-5-5"])
    endpoint: _Endpoint
    streamed: bool
    started_at: datetime
    ended_at: datetime | None = Field(description="None: it is under way.")
    outcome: _Outcome | None
    status_code: int | None = Field(description="As answered; None: nobody was there to be answered.")
    response_id: str | None
    token_usage: TokenUsage | None = Field(description="None: the vendor has not told.")
    cost_micros: int | None = Field(description="Millionths of a dollar; None: no price, or no tokens.")
    tool_usages: list[ToolUsage]

    @classmethod
    def of(cls, call: CallRecord) -> Self:
        counts = {name: getattr(call, name) for name in TokenUsage.model_fields}
        return cls(
            id=call.id,
            organization_id=call.organization_id,
            initiator=Initiator(id=call.user_id, username=call.username),
            provider=call.provider_name,
            model=call.model,
            endpoint=cast(_Endpoint, call.endpoint),
            streamed=call.streamed,
            started_at=call.started_at,
            ended_at=call.finished_at,
            outcome=cast(_Outcome | None, call.outcome),
            status_code=call.status,
            response_id=call.response_id,
            token_usage=None if call.input_tokens is None else TokenUsage(**counts),
            cost_micros=call.cost_micros,
            tool_usages=[ToolUsage.model_validate(one) for one in call.tool_calls],
        )


class InterceptionPage(BaseModel):
    """Newest first. `has_more`: there are older ones; ask with `after_id`, the last one here."""

    interceptions: list[Interception]
    has_more: bool
