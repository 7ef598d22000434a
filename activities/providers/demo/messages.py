"""The dialect of the Anthropic Messages API."""

from collections.abc import Mapping
from typing import Any

from activities.providers.demo.dialect import Answer, InvalidRequest
from activities.providers.demo.encoding import event
from activities.providers.demo.faults import ErrorEventFault, StatusFault, type_of_status
from activities.providers.demo.request import MessagesRequest
from activities.providers.demo.script import Step
from activities.providers.demo.validation import read_request
from activities.providers.demo.wire import BAD_FRAME, encode_answer, error_body


class MessagesDialect:
    """Implements `Dialect`."""

    bad_frame = BAD_FRAME

    def refuse(self, headers: Mapping[str, str]) -> InvalidRequest | None:
        if not headers.get("x-api-key") and not headers.get("authorization"):
            return InvalidRequest("x-api-key header is required", status=401)
        if not headers.get("anthropic-version"):
            return InvalidRequest("anthropic-version: header is required")
        return None

    def read(self, body: Any) -> MessagesRequest:
        return read_request(body)

    def answer(
        self, step: Step, conversation: MessagesRequest, *, number: int, size: int, seed: str
    ) -> Answer:
        return encode_answer(
            step,
            message_id=f"msg_demo_{number:08d}",
            model=conversation.model,
            input_characters=size,
            tool_id_seed=seed,
            paused_call=conversation.paused_call,
        )

    def refusal(self, refused: InvalidRequest, request_id: str) -> dict[str, Any]:
        return error_body(type_of_status[refused.status], str(refused), request_id)

    def status_body(self, fault: StatusFault, request_id: str) -> dict[str, Any]:
        return error_body(fault.resolved_type, fault.message, request_id)

    def error_event(self, fault: ErrorEventFault, request_id: str) -> bytes:
        return event(error_body(fault.error_type, fault.message, request_id))
