"""The Responses API as a dialect of the demo model."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from activities.providers.demo.dialect import Answer, InvalidRequest
from activities.providers.demo.encoding import event
from activities.providers.demo.faults import ErrorEventFault, StatusFault
from activities.providers.demo.openai_errors import bearer_missing, error_body, refusal_body
from activities.providers.demo.responses.request import ResponsesRequest, read_request
from activities.providers.demo.responses.wire import encode_answer
from activities.providers.demo.script import Step

MAX_KEPT = 300

_FAR_NUMBER = 1_000_000
"""Sequence number of what breaks into a stream: numbers grow, nothing more is asked of them."""


class ResponsesDialect:
    """Implements `Dialect`. Keeps the newest answers that clients asked it to store."""

    bad_frame = b"event: response.output_text.delta\ndata: {this is not JSON\n\n"

    def __init__(self) -> None:
        self._kept: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()

    def refuse(self, headers: Mapping[str, str]) -> InvalidRequest | None:
        return bearer_missing(headers)

    def read(self, body: Any) -> ResponsesRequest:
        return read_request(body, self._kept)

    def answer(
        self, step: Step, conversation: ResponsesRequest, *, number: int, size: int, seed: str
    ) -> Answer:
        response_id = f"resp_demo_{number:08d}"
        answer = encode_answer(step, conversation, response_id=response_id, size=size, seed=seed)
        if conversation.stored:
            self._kept[response_id] = [*conversation.items, *answer.whole["output"]]
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return answer

    def refusal(self, refused: InvalidRequest, request_id: str) -> dict[str, Any]:
        return refusal_body(refused)

    def status_body(self, fault: StatusFault, request_id: str) -> dict[str, Any]:
        return error_body(fault.status, fault.error_type, fault.code, fault.message)

    def error_event(self, fault: ErrorEventFault, request_id: str) -> bytes:
        code = fault.code or fault.error_type
        if fault.as_failed_answer:
            error = {"code": code, "message": fault.message}
            failed: dict[str, Any] = {
                "id": f"resp_{request_id}",
                "object": "response",
                "status": "failed",
                "output": [],
            }
            payload: dict[str, Any] = {"type": "response.failed", "response": {**failed, "error": error}}
        else:
            payload = {"type": "error", "code": code, "message": fault.message, "param": None}
        return event({**payload, "sequence_number": _FAR_NUMBER})
