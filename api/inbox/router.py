"""Routes of the inbox (spec api.md 14)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, WebSocket
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller, authenticate
from api.errors import invalid, not_found
from api.inbox.frames import InboxWatcher, notification_payload
from api.inbox.schemas import Format, MarkedNotification, MarkNotification, NotificationPage
from api.requests import json_answer
from api.schemas import errors
from api.services import services_of
from api.streaming.sse import EventStream
from api.streaming.websocket import one_by_one, stream_to
from api.watching.router import event_stream_answer, refuse_other_media, refuse_unready
from models.store import inbox
from models.store.inbox import InboxFilter, ReadStatus

router = APIRouter(prefix="/notifications/inbox", tags=["inbox"])

_MAX_IDS = 50
_FILTERS = ("targets", "templates", "read_status")


def _ids(connection: HTTPConnection, name: str) -> list[UUID]:
    listed = [one for one in connection.query_params.get(name, "").split(",") if one.strip()]
    try:
        ids = [UUID(one.strip()) for one in listed]
    except ValueError:
        raise invalid((name, "Must be UUIDs, separated by commas.")) from None
    if len(ids) > _MAX_IDS:
        raise invalid((name, f"At most {_MAX_IDS} can be named."))
    return ids


def _known_only(connection: HTTPConnection, *known: str) -> None:
    unknown = sorted(set(connection.query_params) - set(known))
    if unknown:
        raise invalid(*[(name, "Is no parameter of this route.") for name in unknown])


def _filter(connection: HTTPConnection) -> InboxFilter:
    """What the query asks for.

    Raises:
        ApiError: 400, a value is none of those allowed.
    """
    read_status = connection.query_params.get("read_status", ReadStatus.ALL.value)
    if read_status not in tuple(ReadStatus):
        raise invalid(("read_status", "Must be all, read or unread."))
    return InboxFilter(_ids(connection, "targets"), _ids(connection, "templates"), ReadStatus(read_status))


def _described(
    targets: Annotated[
        str | None, Query(description="Chats, separated by commas: about all of them.")
    ] = None,
    templates: Annotated[str | None, Query(description="Templates, separated by commas: of any.")] = None,
    read_status: Annotated[ReadStatus, Query()] = ReadStatus.ALL,
) -> None:
    """The filters as the OpenAPI document tells them; `_filter` reads them, for WebSockets as well."""


_FILTERED = [Depends(_described)]


@router.get(
    "",
    operation_id="listInboxNotifications",
    dependencies=_FILTERED,
    responses={200: {"model": NotificationPage}, **errors(400)},
)
async def list_notifications(
    request: Request,
    caller: CurrentCaller,
    starting_before: Annotated[UUID | None, Query(description="Those older than this one follow.")] = None,
) -> Response:
    """The caller's notifications, newest first, 25 at a time."""
    _known_only(request, *_FILTERS, "starting_before")
    engine = services_of(request).engine
    found = await inbox.list_notifications(
        engine, caller.user_id, _filter(request), starting_before=starting_before
    )
    return json_answer(
        {
            "notifications": [notification_payload(one) for one in found],
            "unread_count": await inbox.count_unread(engine, caller.user_id),
        }
    )


@router.get(
    "/watch",
    status_code=200,
    operation_id="watchInboxNotifications",
    response_class=Response,
    dependencies=_FILTERED,
    responses={
        **event_stream_answer('event: notification\ndata: {"notification":{"id":"…"},"unread_count":1}\n\n'),
        **errors(400, 406, 503),
    },
)
async def watch_events(
    request: Request,
    caller: CurrentCaller,
    format: Annotated[Format, Query(description="Content is plain text, which is the same in both.")] = (
        "markdown"
    ),
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Notifications from now on, as server-sent events or as a WebSocket with one per frame. A reader that
    does not keep up misses some; all of them are in the list."""
    refuse_other_media(accept)
    _known_only(request, *_FILTERS, "format")
    watcher = InboxWatcher(_filter(request))
    hub = services_of(request).inboxes
    refuse_unready(hub)
    return EventStream(hub.subscribe(caller.user_id, watcher))


@router.websocket("/watch")
async def watch_frames(websocket: WebSocket) -> None:
    caller = await authenticate(websocket)
    _known_only(websocket, *_FILTERS, "format")
    if websocket.query_params.get("format", "markdown") not in ("markdown", "plaintext"):
        raise invalid(("format", "Must be markdown or plaintext."))
    watcher = InboxWatcher(_filter(websocket))
    hub = services_of(websocket).inboxes
    refuse_unready(hub)
    await stream_to(websocket, hub.subscribe(caller.user_id, watcher), one_by_one)


@router.put(
    "/{notification}/read-status",
    operation_id="markInboxNotification",
    responses={200: {"model": MarkedNotification}, **errors(400, 404)},
)
async def mark_notification(
    request: Request, notification: UUID, body: MarkNotification, caller: CurrentCaller
) -> Response:
    """Mark a notification as read, or as unread."""
    engine = services_of(request).engine
    marked = await inbox.mark(engine, caller.user_id, notification, is_read=body.is_read)
    if marked is None:
        raise not_found("notification")
    return json_answer(
        {
            "notification": notification_payload(marked),
            "unread_count": await inbox.count_unread(engine, caller.user_id),
        }
    )


@router.put(
    "/mark-all-as-read",
    operation_id="markAllInboxNotifications",
    status_code=204,
    responses={204: {"description": "Marked."}, **errors()},
)
async def mark_all(request: Request, caller: CurrentCaller) -> Response:
    """Mark all notifications of the caller as read."""
    await inbox.mark_all_read(services_of(request).engine, caller.user_id)
    return Response(status_code=204)
