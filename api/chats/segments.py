"""Paths below `/chats` that name no chat (spec api.md section 2)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BeforeValidator
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller
from api.errors import ApiError, not_found

_RESERVED = frozenset(
    {
        *("by-workspace", "config", "files", "usage", "watch"),
        *("model-configs", "models", "providers", "user-provider-configs"),
        "orchestrator",
    }
)
"""What stands, or will stand, where other paths have the id of a chat. `orchestrator` means the caller's own
orchestrator chat, and in this version nobody has one."""


def _no_reserved_word(segment: object) -> object:
    if segment in _RESERVED:
        raise not_found("chat")
    return segment


ChatId = Annotated[UUID, BeforeValidator(_no_reserved_word)]
"""The id of a chat in a path. Reserved words are 404, anything else that is no UUID is 400."""

router = APIRouter(include_in_schema=False)

_ANY = ["GET", "POST", "PUT", "PATCH", "DELETE"]


async def _removed(request: Request, caller: CurrentCaller) -> Response:
    """Providers were part of the experimental API once; everywhere else these paths were never served."""
    if request.scope["path"].startswith("/api/experimental/"):
        raise ApiError(410, "This route was removed.", "The routes are listed at /docs.")
    raise ApiError(404, "There is no such route.", "The routes are listed at /docs.")


async def _never_served(caller: CurrentCaller) -> Response:
    raise ApiError(404, "There is no such route.", "The routes are listed at /docs.")


for _segment in ("providers", "user-provider-configs"):
    router.add_api_route(f"/chats/{_segment}", _removed, methods=_ANY)
    router.add_api_route(f"/chats/{_segment}/{{_id}}", _removed, methods=_ANY)
for _segment in ("models", "model-configs"):
    router.add_api_route(f"/chats/{_segment}", _never_served, methods=_ANY)
