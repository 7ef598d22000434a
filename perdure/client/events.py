"""The events of a chat's stream."""

from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from perdure.client.errors import ProtocolError
from perdure.client.shapes import ChatFailure, Message, Part, PendingCall, QueuedMessage, Shape


class _Event(Shape):
    type: str
    chat_id: str = ""


class MessageEvent(_Event):
    """A message is in history, or has changed there."""

    message: Message


class PreviewPiece(Shape):
    """A piece of the answer that is being written, and its place: the `seq`-th of this attempt."""

    role: str = "assistant"
    part: Part
    history_version: int = 0
    generation_attempt: int = 0
    seq: int | None = None


class PartEvent(_Event):
    """The answer goes on. A preview: the message follows when the step has ended."""

    message_part: PreviewPiece

    @property
    def text(self) -> str:
        """The words of the answer in it; reasoning and tools are none."""
        part = self.message_part.part
        return part.text if part.type == "text" else ""


class ChatStatus(Shape):
    """A status; see `ChatInfo`."""

    status: str


class StatusEvent(_Event):
    """The chat's status, at first and whenever it changes."""

    status: ChatStatus


class ErrorEvent(_Event):
    """The turn has failed."""

    error: ChatFailure


class QueueEvent(_Event):
    """The messages that wait, all of them."""

    queued_messages: tuple[QueuedMessage, ...] = ()


class RetryState(Shape):
    """A call of the model has failed and will be repeated in `delay_ms`."""

    attempt: int
    delay_ms: int
    error: str
    kind: str | None = None


class RetryEvent(_Event):
    """The model is asked again, soon."""

    retry: RetryState


class PendingCalls(Shape):
    """All calls that wait for somebody outside."""

    tool_calls: tuple[PendingCall, ...] = ()


class ActionRequiredEvent(_Event):
    """The chat waits for results of a client's tools, or for approvals."""

    action_required: PendingCalls


class PreviewResetEvent(_Event):
    """The parts shown since the last message are void."""


class HistoryResetEvent(_Event):
    """All messages are void; those that are left follow."""


class OtherEvent(_Event):
    """An event of a kind that this client does not know; its fields are in `model_extra`."""


WireEvent = (
    MessageEvent
    | PartEvent
    | StatusEvent
    | ErrorEvent
    | QueueEvent
    | RetryEvent
    | ActionRequiredEvent
    | PreviewResetEvent
    | HistoryResetEvent
    | OtherEvent
)


@dataclass(frozen=True)
class ConnectionLost:
    """The connection broke; it is being made again. Whatever was missed follows."""

    reason: str


Event = WireEvent | ConnectionLost

_KINDS: dict[object, type[WireEvent]] = {
    "message": MessageEvent,
    "message_part": PartEvent,
    "status": StatusEvent,
    "error": ErrorEvent,
    "queue_update": QueueEvent,
    "retry": RetryEvent,
    "action_required": ActionRequiredEvent,
    "preview_reset": PreviewResetEvent,
    "history_reset": HistoryResetEvent,
}


def parse_event(fields: Any) -> WireEvent:
    """An event as it comes in JSON.

    Raises:
        ProtocolError: It has no type, or not what its type has to have.
    """
    kind = cast("dict[str, Any]", fields).get("type") if isinstance(fields, dict) else None
    try:
        return _KINDS.get(kind, OtherEvent).model_validate(fields)
    except ValidationError as error:
        raise ProtocolError(f"the stream holds something that is no event ({error}).") from error
