"""Send one answer over ASGI: paced, held, and spoiled as ordered."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Scope, Send

from activities.providers.demo.dialect import Answer, Dialect, InvalidRequest, position
from activities.providers.demo.encoding import encode, framed
from activities.providers.demo.faults import (
    BadFrameFault,
    CutFault,
    DropFault,
    ErrorEventFault,
    Fault,
    SlowFirstFault,
    StallFault,
    StatusFault,
    StreamFault,
    status_of_type,
)
from activities.providers.demo.milestones import Holds
from activities.providers.demo.recorder import Outcome, RecordedRequest, Recorder
from activities.providers.demo.script import PLAIN, Framing, Hold, Step

TRANSPORT = "demo.transport"
"""Name of the ASGI extension in which the server hands over the connection, so that it can be reset."""

# With it, closing a connection sends RST and not FIN: the client sees a failure, never a clean end.
LINGER_ZERO = struct.pack("ii", 1, 0)


def request_id(request: RecordedRequest) -> str:
    return f"req_demo_{request.index:08d}"


@dataclass(slots=True)
class Delivery:
    """The answer to one request on its way to the client."""

    scope: Scope
    send: Send
    recorder: Recorder
    holds: Holds
    request: RecordedRequest
    dialect: Dialect

    async def refuse(self, refused: InvalidRequest) -> None:
        """Answer that the request breaks a rule."""
        self._end("rejected")
        await self._error(refused.status, self.dialect.refusal(refused, request_id(self.request)), {})

    async def answer(self, step: Step, answer: Answer, fault: Fault | None, *, stream: bool) -> None:
        """Answer, as a stream or in one JSON message, and record how it ended."""
        self.request.fault = fault.kind if fault else None
        loop = asyncio.get_running_loop()
        start = loop.time()
        if isinstance(fault, StatusFault):
            await self._fail(fault)
            return
        if isinstance(fault, SlowFirstFault):
            start += fault.seconds
            await asyncio.sleep(fault.seconds)
            fault = None
        if stream:
            await self._stream(step, answer, fault, start)
        else:
            await self._json(step, answer, fault, start)

    async def _stream(self, step: Step, answer: Answer, fault: StreamFault | None, start: float) -> None:
        clock = asyncio.get_running_loop().time
        stops = _stops(step, answer, fault)
        await self._start(
            200, {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        )
        await self._events(answer.opening, step.framing)
        # Every piece has its own absolute time, so that lateness does not add up; a hold moves the rest.
        due = start + step.first_after_seconds
        for index in range(len(answer.pieces) + 1):
            for stop in stops.get(index, ()):
                before = clock()
                if not await self._stop(stop):
                    return
                due += clock() - before
            if index < len(answer.pieces):
                if (wait := due - clock()) > 0:
                    await asyncio.sleep(wait)
                await self._events(answer.pieces[index].frame, step.framing)
                self.request.pieces_sent = index + 1
                due += step.every_seconds
        # Ended first: a client may act on the last byte before this task runs again.
        self._end("completed")
        await self._events(answer.closing, step.framing)
        await self._body(b"", last=True)

    async def _stop(self, stop: Hold | StreamFault) -> bool:
        """Stand at a hold or perform a fault; tell whether the stream goes on."""
        match stop:
            case Hold():
                await self.holds[stop.name].wait()
                return True
            case StallFault():
                await self._stall(stop)
                return True
            case BadFrameFault():
                await self._body(self.dialect.bad_frame)
                return True
            case ErrorEventFault():
                self._end("faulted")
                await self._body(self.dialect.error_event(stop, request_id(self.request)), last=True)
                return False
            case CutFault():
                self._end("faulted")
                await self._body(b"", last=True)
                return False
            case DropFault():
                await self._drop()
                return False

    async def _json(self, step: Step, answer: Answer, fault: StreamFault | None, start: float) -> None:
        """The same answer in one piece, at the time when the stream would have ended."""
        if step.hold:
            await self.holds[step.hold.name].wait()
        gaps = max(len(answer.pieces) - 1, 0)
        due = start + step.first_after_seconds + gaps * step.every_seconds
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        body = encode(answer.whole)
        match fault:
            case StallFault():
                await self._stall(fault)
            case DropFault():
                await self._drop()
            case ErrorEventFault():
                await self._fail(_as_status(fault))
                return
            case CutFault() | BadFrameFault():
                self._end("faulted")
                await self._whole(200, body[: len(body) // 2], {})
                return
            case None:
                pass
        self._end("completed")
        await self._whole(200, body, {})

    async def _stall(self, fault: StallFault) -> None:
        if fault.name is None:
            await asyncio.Event().wait()
        else:
            await self.holds[fault.name].wait()

    async def _drop(self) -> None:
        self._end("faulted")
        transport: asyncio.Transport = self.scope["extensions"][TRANSPORT]
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        transport.close()
        # The loss of the connection ends this request, see `until_disconnected`.
        await asyncio.Event().wait()

    async def _fail(self, fault: StatusFault) -> None:
        self._end("faulted")
        await self._error(
            fault.status, self.dialect.status_body(fault, request_id(self.request)), fault.headers
        )

    async def _error(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        await self._whole(status, encode(body), headers)

    async def _events(self, frames: bytes, framing: Framing) -> None:
        if framing is PLAIN:  # the usual way, at no cost
            await self._body(frames)
            return
        for chunk in framed(frames, framing):
            await self._body(chunk)

    async def _whole(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        length = {"content-type": "application/json", "content-length": str(len(body))}
        await self._start(status, {**length, **headers})
        await self._body(body, last=True)

    async def _start(self, status: int, headers: dict[str, str]) -> None:
        all_headers = {
            **headers,
            "request-id": request_id(self.request),
            "x-request-id": request_id(self.request),
        }
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in all_headers.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _body(self, body: bytes, *, last: bool = False) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": not last})

    def _end(self, outcome: Outcome) -> None:
        self.recorder.end(self.request, outcome)


def _as_status(fault: ErrorEventFault) -> StatusFault:
    """The error that a client without a stream gets instead of an event."""
    status = status_of_type.get(fault.error_type, 500)
    return StatusFault(
        kind="status", status=status, error_type=fault.error_type, message=fault.message, code=fault.code
    )


def _stops(step: Step, answer: Answer, fault: StreamFault | None) -> dict[int, list[Hold | StreamFault]]:
    """Where the stream is interrupted, by the number of pieces sent before; a hold stands before a fault."""
    stops: dict[int, list[Hold | StreamFault]] = {}
    for stop in (step.hold, fault):
        if stop is not None:
            stops.setdefault(position(answer, stop), []).append(stop)
    return stops


async def until_disconnected(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work` as long as the client is there; tell whether it was done to its end.

    The request body must have been read, because `receive` is then only a witness of the connection.
    """

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    doing = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(gone())
    try:
        await asyncio.wait((doing, watching), return_when=asyncio.FIRST_COMPLETED)
        finished = doing.done()
        if finished:
            doing.result()
        return finished
    finally:
        for task in (doing, watching):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
