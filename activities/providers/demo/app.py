"""The ASGI application: an endpoint for each wire protocol, and the control routes beside them."""

import json
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from activities.providers.demo.completions import SERVERS, CompletionsDialect
from activities.providers.demo.control import control_routes
from activities.providers.demo.conversation import Conversation, fingerprint
from activities.providers.demo.delivery import Delivery, until_disconnected
from activities.providers.demo.dialect import Dialect, InvalidRequest
from activities.providers.demo.messages import MessagesDialect
from activities.providers.demo.responses import ResponsesDialect
from activities.providers.demo.script import InvalidScript, Step, scripted_aside, scripted_step
from activities.providers.demo.stage import Stage
from activities.providers.demo.talk import conversational_step, named_step

MAX_BODY_BYTES = 32 * 1024 * 1024


def create_app(stage: Stage | None = None) -> Starlette:
    """The demo model as an ASGI application.

    Args:
        stage: its state; hand in one of your own to look at it from the same event loop.
    """
    stage = stage or Stage()
    return Starlette(
        routes=[
            Route("/v1/messages", Endpoint(stage, MessagesDialect()), methods=["POST"]),
            Route("/v1/responses", Endpoint(stage, ResponsesDialect()), methods=["POST"]),
            *(
                Route(path, Endpoint(stage, CompletionsDialect(server)), methods=["POST"])
                for path, server in SERVERS.items()
            ),
            Route("/healthz", _healthz),
            *control_routes(stage),
        ]
    )


class Endpoint:
    """A vendor's route as a bare ASGI application: pieces go to the server without a layer in between."""

    def __init__(self, stage: Stage, dialect: Dialect) -> None:
        self._stage = stage
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read_body(receive)
        except ClientDisconnect:
            return
        stage, dialect, headers = self._stage, self._dialect, Headers(scope=scope)
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        record = stage.recorder.begin(target, dict(headers), body[:MAX_BODY_BYTES])
        delivery = Delivery(scope, send, stage.recorder, stage.holds, record, dialect)
        try:
            decoded = self._decode(headers, body)
            request = dialect.read(decoded)
            step = _step(request)
        except InvalidScript as error:
            await delivery.refuse(InvalidRequest(str(error)))
            return
        except InvalidRequest as error:
            await delivery.refuse(error)
            return
        conversation = fingerprint(decoded)
        record.step = request.step
        answer = dialect.answer(step, request, number=record.index, size=len(body), seed=conversation)
        fault = stage.next_fault(step, conversation)
        work = delivery.answer(step, answer, fault, stream=request.stream)
        if not await until_disconnected(receive, work):
            stage.recorder.end(record, "client_disconnected")

    def _decode(self, headers: Headers, body: bytes) -> Any:
        if refused := self._dialect.refuse(headers):
            raise refused
        if len(body) > MAX_BODY_BYTES:
            raise InvalidRequest("Request exceeds the maximum size", status=413)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise InvalidRequest("The body is not valid JSON.") from None


def _step(request: Conversation) -> Step:
    aside = scripted_aside(request) or named_step(request)
    return aside or scripted_step(request) or conversational_step(request)


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


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})
