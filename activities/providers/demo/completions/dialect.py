"""Chat Completions as a dialect of the demo model."""

from collections.abc import Mapping
from typing import Any

from activities.providers.demo.completions.request import CompletionsRequest, read_request
from activities.providers.demo.completions.servers import Server
from activities.providers.demo.completions.wire import encode_answer
from activities.providers.demo.dialect import Answer, InvalidRequest
from activities.providers.demo.encoding import unnamed_event
from activities.providers.demo.faults import ErrorEventFault, StatusFault
from activities.providers.demo.openai_errors import bearer_missing, error_body, refusal_body
from activities.providers.demo.script import Step


class CompletionsDialect:
    """Implements `Dialect` as one kind of server."""

    bad_frame = b"data: {this is not JSON\n\n"

    def __init__(self, server: Server) -> None:
        self._server = server

    def refuse(self, headers: Mapping[str, str]) -> InvalidRequest | None:
        return bearer_missing(headers)

    def read(self, body: Any) -> CompletionsRequest:
        return read_request(body, self._server)

    def answer(
        self, step: Step, conversation: CompletionsRequest, *, number: int, size: int, seed: str
    ) -> Answer:
        name = f"chatcmpl-demo-{number:08d}"
        return encode_answer(step, conversation, self._server, answer_id=name, size=size, seed=seed)

    def refusal(self, refused: InvalidRequest, request_id: str) -> dict[str, Any]:
        return refusal_body(refused)

    def status_body(self, fault: StatusFault, request_id: str) -> dict[str, Any]:
        return error_body(fault.status, fault.error_type, fault.code, fault.message)

    def error_event(self, fault: ErrorEventFault, request_id: str) -> bytes:
        error = {"message": fault.message, "type": fault.error_type, "param": None, "code": fault.code}
        return unnamed_event({"error": error})
