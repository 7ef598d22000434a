"""What happens around every request: its id, its log line, its metrics, the headers every answer has, and the
last line of defence."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.state import answer_headers
from api.errors import ApiError
from runtime import metrics

_REQUEST_ID = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")
_QUIET = ("/healthz", "/readyz", "/metrics")

_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
"""In every answer, unless it says otherwise itself."""

log = structlog.get_logger("api")


class RequestContext:
    """Outermost middleware. Streams pass through it, but are neither timed nor logged as requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.match(given) else uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        answer = _Answer(send, request_id, HTTPConnection(scope))
        began = time.perf_counter()
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if answer.unwanted is error:
                raise  # whoever asked has left before the answer: the server knows, and says nothing of it
            log.exception("request failed", path=scope["path"], error=type(error).__name__)
            if not answer.status:
                await _failed(request_id)(scope, receive, answer)
        if scope["type"] == "http":
            _note(scope, answer, time.perf_counter() - began)


class _Answer:
    """The way back to the client. Adds the request's id, and remembers the status and that nobody is there to
    take the answer."""

    def __init__(self, send: Send, request_id: str, connection: HTTPConnection) -> None:
        self._send = send
        self._request_id = request_id
        self._extra = answer_headers(connection)
        self._private = connection.url.path.startswith("/api/")
        self._secure = connection.url.scheme in ("https", "wss")
        self.status = 0
        self.streamed = False
        self.unwanted: OSError | None = None

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
            self.status = message.get("status", 101)
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            self._complete(headers)
            self.streamed = headers.get("content-type", "").startswith("text/event-stream")
        elif kind == "websocket.close":
            self.status = self.status or 403
        try:
            await self._send(message)
        except OSError as error:
            self.unwanted = error
            raise

    def _complete(self, headers: MutableHeaders) -> None:
        headers["X-Request-Id"] = self._request_id
        headers.update(self._extra)
        for name, value in _SECURITY.items():
            headers.setdefault(name, value)
        if self._private:
            headers.setdefault("Cache-Control", "no-store")
            headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        if self._secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def _failed(request_id: str) -> ASGIApp:
    return ApiError(
        500,
        "Something went wrong on our side.",
        f"If it goes on, report it with the request id {request_id}.",
    ).response()


def _note(scope: Scope, answer: _Answer, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")
    metrics.REQUESTS.labels(scope["method"], route, str(answer.status)).inc()
    if not answer.streamed:
        metrics.REQUEST_SECONDS.labels(scope["method"], route).observe(seconds)
    if scope["path"] not in _QUIET:
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=answer.status,
            ms=round(seconds * 1000, 1),
        )
