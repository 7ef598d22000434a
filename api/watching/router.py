"""The chat list as a stream (spec api.md 7)."""

from typing import Annotated

from fastapi import APIRouter, Header, WebSocket
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller, authenticate
from api.errors import ApiError, unavailable
from api.schemas import errors
from api.services import services_of
from api.streaming.sse import MEDIA_TYPE, EventStream, accepts_events
from api.streaming.subscription import Subscription
from api.streaming.websocket import one_by_one, stream_to
from api.watching.hub import ListHub

router = APIRouter(tags=["streams"])

_DESCRIPTION = """\
What happens to the caller's chats from now on, one event per change: `created`, `deleted` (archived),
`status_change`, `title_change`, `summary_change` (of `last_turn_summary`), `chat_summary_change` (of
`summary`) and `action_required`, which lists the calls that wait. As server-sent events, or as a WebSocket at
the same address with a JSON object per frame.

Nothing is told of what was before, and nothing is replayed: connect, then read the list. A stream that may
have missed something ends; connect again and read the list anew.
"""


def refuse_unready(hub: ListHub) -> None:
    """Take in no watcher whom nobody could tell anything.

    Raises:
        ApiError: 503.
    """
    if not hub.ready:
        raise unavailable("Changes cannot be followed for now.", "Connect again in a moment.")


def event_stream_answer(example: str) -> dict[int | str, dict[str, object]]:
    """The `responses` entry of a route that answers with server-sent events."""
    return {200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": example}}}}


def refuse_other_media(accept: str | None) -> None:
    """Answer those who can read server-sent events.

    Raises:
        ApiError: 406.
    """
    if not accepts_events(accept):
        raise ApiError(406, "This route answers with text/event-stream.", "Ask for it, or open a WebSocket.")


@router.get(
    "/chats/watch",
    status_code=200,
    operation_id="watchChats",
    response_class=Response,
    description=_DESCRIPTION,
    responses={
        **event_stream_answer('event: title_change\ndata: {"kind":"title_change","chat":{"id":"…"}}\n\n'),
        **errors(406, 503),
    },
)
async def watch_events(
    request: Request,
    caller: CurrentCaller,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    refuse_other_media(accept)
    hub = services_of(request).chat_lists
    refuse_unready(hub)
    return EventStream(hub.subscribe(caller.user_id, Subscription()))


@router.websocket("/chats/watch")
async def watch_frames(websocket: WebSocket) -> None:
    caller = await authenticate(websocket)
    hub = services_of(websocket).chat_lists
    refuse_unready(hub)
    await stream_to(websocket, hub.subscribe(caller.user_id, Subscription()), one_by_one)
