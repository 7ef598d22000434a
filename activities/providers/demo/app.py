"""The ASGI application: the Messages endpoint, and the control routes beside it."""

import json

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from activities.providers.demo.control import control_routes
from activities.providers.demo.delivery import Delivery, request_id, until_disconnected
from activities.providers.demo.recorder import RecordedRequest
from activities.providers.demo.request import MessagesRequest, fingerprint
from activities.providers.demo.script import InvalidScript, Step, scripted_aside, scripted_step
from activities.providers.demo.stage import Stage
from activities.providers.demo.talk import conversational_step, named_step
from activities.providers.demo.validation import InvalidRequest, read_request
from activities.providers.demo.wire import encode_answer

MAX_BODY_BYTES = 32 * 1024 * 1024


def create_app(stage: Stage | None = None) -> Starlette:
    """The demo model as an ASGI application.

    Args:
        stage: its state; hand in one of your own to look at it from the same event loop.
    """
    stage = stage or Stage()
    return Starlette(
        routes=[
            Route("/v1/messages", MessagesEndpoint(stage), methods=["POST"]),
            Route("/healthz", _healthz),
            *control_routes(stage),
        ]
    )


class MessagesEndpoint:
    """`POST /v1/messages` as a bare ASGI application: pieces go to the server without a layer in between."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read_body(receive)
        except ClientDisconnect:
            return
        stage = self._stage
        record = stage.recorder.begin(dict(Headers(scope=scope)), body[:MAX_BODY_BYTES])
        delivery = Delivery(scope, send, stage.recorder, stage.holds, record)
        if refusal := _refuse(Headers(scope=scope), body):
            await self._reject(delivery, record, *refusal)
            return
        try:
            decoded = json.loads(body)
            request = read_request(decoded)
            step = _step(request)
        except (InvalidRequest, InvalidScript) as error:
            await self._reject(delivery, record, 400, "invalid_request_error", str(error))
            return
        except (ValueError, RecursionError):
            await self._reject(delivery, record, 400, "invalid_request_error", "The body is not valid JSON.")
            return
        conversation = fingerprint(decoded)
        record.step = request.step
        answer = encode_answer(
            step,
            message_id=request_id(record).replace("req", "msg"),
            model=request.model,
            input_characters=len(body),
            tool_id_seed=conversation,
        )
        fault = stage.next_fault(step, conversation)
        work = delivery.answer(step, answer, fault, stream=request.stream)
        if not await until_disconnected(receive, work):
            stage.recorder.end(record, "client_disconnected")

    async def _reject(
        self, delivery: Delivery, record: RecordedRequest, status: int, error_type: str, message: str
    ) -> None:
        self._stage.recorder.end(record, "rejected")
        await delivery.error(status, error_type, message, {})


def _step(request: MessagesRequest) -> Step:
    tool = request.only_tool
    if tool is not None:
        return scripted_aside(request, tool) or named_step(request, tool)
    return scripted_step(request) or conversational_step(request)


async def _read_body(receive: Receive) -> bytes:
    """The body; reading stops as soon as it is known to be too large."""
    chunks: list[bytes] = []
    size = 0
    while size <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


def _refuse(headers: Headers, body: bytes) -> tuple[int, str, str] | None:
    """Status, error type and message when the request is not even looked at."""
    if not headers.get("x-api-key") and not headers.get("authorization"):
        return 401, "authentication_error", "x-api-key header is required"
    if not headers.get("anthropic-version"):
        return 400, "invalid_request_error", "anthropic-version: header is required"
    if len(body) > MAX_BODY_BYTES:
        return 413, "request_too_large", "Request exceeds the maximum size"
    return None


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})
