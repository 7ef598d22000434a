"""The ways in which an answer can go wrong, ordered one per request."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

type_of_status = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
status_of_type = {error_type: status for status, error_type in type_of_status.items()}

PieceKind = Literal["thinking", "text", "tool_input"]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{0,1000}$")]


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cut(_Fault):
    """A place in the stream: after so many pieces (deltas) of one kind.

    `after_pieces: 0` is right after `message_start`; a place beyond the last piece is right before the
    closing events.
    """

    after_pieces: int = Field(default=0, ge=0, le=100_000)
    of: PieceKind = "text"


class StatusFault(_Fault):
    """An HTTP error instead of an answer."""

    kind: Literal["status"]
    status: int = Field(ge=400, le=599)
    error_type: str | None = Field(default=None, max_length=100, description="by the status when not given")
    message: str = Field(default="The demo model was told to fail.", max_length=10_000)
    code: str | None = Field(default=None, max_length=100, description="where the vendor has such a field")
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict[str, str], max_length=50)

    @property
    def resolved_type(self) -> str:
        return self.error_type or type_of_status.get(self.status, "api_error")


class ErrorEventFault(Cut):
    """An `error` event in the middle of a stream that began with 200."""

    kind: Literal["error_event"]
    error_type: str = Field(default="overloaded_error", max_length=100)
    message: str = Field(default="Overloaded", max_length=10_000)
    code: str | None = Field(default=None, max_length=100, description="where the vendor has such a field")
    as_failed_answer: bool = Field(default=False, description="where the vendor has such an event")


class DropFault(Cut):
    """The connection is reset in mid-stream."""

    kind: Literal["drop"]


class CutFault(Cut):
    """The body ends cleanly in mid-stream, without `message_stop`."""

    kind: Literal["cut"]


class StallFault(Cut):
    """Silence in mid-stream until the client goes away, or until the hold `name` is released."""

    kind: Literal["stall"]
    name: str | None = Field(default=None, min_length=1, max_length=200)


class BadFrameFault(Cut):
    """An event whose data is not JSON; the stream goes on after it."""

    kind: Literal["bad_frame"]


class SlowFirstFault(_Fault):
    """Silence before the first byte of the answer."""

    kind: Literal["slow_first"]
    seconds: float = Field(ge=0, le=3600)


StreamFault = ErrorEventFault | DropFault | CutFault | StallFault | BadFrameFault
Fault = Annotated[StatusFault | SlowFirstFault | StreamFault, Field(discriminator="kind")]

one_fault: TypeAdapter[Fault] = TypeAdapter(Fault)
many_faults: TypeAdapter[list[Fault]] = TypeAdapter(list[Fault])
