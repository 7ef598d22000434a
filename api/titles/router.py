"""The route that proposes a title (spec api.md 5.12)."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.chats.access import OwnedChat
from api.errors import ApiError, unavailable
from api.requests import choose_model, json_answer
from api.schemas import errors
from api.services import services_of
from api.temporal_gateway import Unavailable
from models.failures import FailureKind
from models.store import naming
from models.turns import Proposed

router = APIRouter(tags=["chats"])
T = TypeVar("T")


class ProposedTitle(BaseModel):
    """Empty for a chat in which nobody has said anything."""

    title: str = Field(examples=["Time in Lisbon"])


class _ClientLeft(Exception):
    """Nobody waits for the answer any more."""


@router.post(
    "/chats/{chat}/title/propose",
    operation_id="proposeTitle",
    responses={200: {"model": ProposedTitle}, **errors(400, 403, 404, 409, 500, 503, 504)},
)
async def propose_title(request: Request, chat: OwnedChat) -> Response:
    """Have a model propose a title. The chat keeps the one it has."""
    services = services_of(request)
    if not chat.model_enabled:
        await choose_model(
            services, chat.organization_id, chat.owner_id, None
        )  # refuses where there is none to be used
    try:
        proposed = await _while_there(request, services.gateway.propose_title(chat))
    except _ClientLeft:
        raise ApiError(499, "The client has left.") from None
    except Unavailable as error:
        raise unavailable("No worker has answered in time.", "Repeat the request in a moment.") from error
    _raise_if_failed(proposed)
    title = ""
    if proposed.proposal_id is not None:
        title = await naming.read_proposal(services.engine, chat.id, proposed.proposal_id)
    return json_answer({"title": title})


def _raise_if_failed(proposed: Proposed) -> None:
    if proposed.too_late:
        raise ApiError(504, "The model took too long.", "Repeat the request, or choose another model.")
    if proposed.failed is FailureKind.USAGE_LIMIT:
        raise ApiError(409, "The usage limit is reached.", "Wait until it is reset, or have it raised.")
    if proposed.failed is not None:
        raise ApiError(
            500, "The model has proposed no title.", f"Its failure is of the kind {proposed.failed}."
        )


async def _while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do the work as long as the client waits for it.

    Raises:
        _ClientLeft: it waits no more; the work was given up.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _ClientLeft
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
