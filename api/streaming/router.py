"""The stream routes (spec api.md 6.1)."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, WebSocket
from starlette.requests import Request
from starlette.responses import Response

from api.chats.access import StreamedChat, find_socket_chat
from api.errors import ApiError, invalid
from api.schemas import errors
from api.services import services_of
from api.streaming.events import Position
from api.streaming.reading_along import read_along
from api.streaming.sse import MEDIA_TYPE, EventStream, accepts_events
from api.streaming.websocket import stream_to

router = APIRouter(tags=["streams"])

_DESCRIPTION = """\
Everything that happens to a chat, live: first the present (messages, queue, status, the parts of the answer
being written), then what follows. As server-sent events, or as a WebSocket at the same address, where each
frame is a JSON array of events.

Every server-sent event has an `id`; sent back as `Last-Event-ID` it resumes in the middle of an answer, with
every part exactly once. `after_id` leaves out messages up to that id.
"""


@router.get(
    "/chats/{chat}/stream",
    status_code=200,
    operation_id="streamChat",
    response_class=Response,
    description=_DESCRIPTION,
    responses={
        200: {
            "content": {
                MEDIA_TYPE: {
                    "schema": {"type": "string"},
                    "example": "event: status\ndata: "
                    '{"type":"status","chat_id":"…","status":{"status":"running"}}\nid: 17.1.0.0\n\n',
                }
            }
        },
        **errors(400, 404, 406, 503),
    },
)
async def stream_events(
    request: Request,
    chat: StreamedChat,
    after_id: Annotated[str | None, Query(description="Leave out messages up to this id.")] = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    if not accepts_events(accept):
        raise ApiError(406, "This route answers with text/event-stream.", "Ask for it, or open a WebSocket.")
    resume = _after(after_id)
    if last_event_id:
        try:
            resume = Position.parse(last_event_id)
        except ValueError:
            raise invalid(("Last-Event-ID", "Must be the id of an event of this stream.")) from None
    services = services_of(request)
    return EventStream(read_along(services.read_marks, chat, services.streams.subscribe(chat.id, resume)))


@router.websocket("/chats/{chat}/stream")
async def stream_frames(websocket: WebSocket, chat: str, after_id: str | None = None) -> None:
    record = await find_socket_chat(websocket, chat)
    services = services_of(websocket)
    subscribing = services.streams.subscribe(record.id, _after(after_id))
    await stream_to(websocket, read_along(services.read_marks, record, subscribing))


def _after(after_id: str | None) -> Position:
    if after_id is None:
        return Position()
    try:
        number = int(after_id)
    except ValueError:
        number = -1
    if not 0 <= number < 2**63:
        raise invalid(("after_id", "Must be the id of a message."))
    return Position(number)
