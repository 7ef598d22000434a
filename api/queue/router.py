"""Routes of single messages of the queue (spec api.md 5.5, 5.6)."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller
from api.chats.access import OwnedChat, UpdatableChat, refuse_archived
from api.commands import run_once
from api.requests import MAX_ID, IdempotencyKey, checked_key, json_answer
from api.schemas import errors
from api.services import services_of
from models.turns import QueuedMessageRef

router = APIRouter(tags=["messages"])

_QueuedMessage = Annotated[int, Path(gt=0, le=MAX_ID, description="A message of the queue.")]


class Promoted(BaseModel):
    """Said when a promotion was taken; the stream tells when the message enters history."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(examples=["The message is next."])


@router.delete(
    "/chats/{chat}/queue/{queued_message}",
    operation_id="deleteQueuedMessage",
    status_code=204,
    responses={204: {"description": "It is out of the queue."}, **errors(400, 404, 409, 422, 503)},
)
async def delete_queued(
    request: Request,
    queued_message: _QueuedMessage,
    chat: UpdatableChat,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take a message out of the queue. It is not answered."""
    which = QueuedMessageRef(queued_id=queued_message)
    key = checked_key(idempotency_key)
    await run_once(services_of(request), chat, caller, "delete_queued", which, key=key)
    return Response(status_code=204)


@router.post(
    "/chats/{chat}/queue/{queued_message}/promote",
    operation_id="promoteQueuedMessage",
    status_code=202,
    responses={202: {"model": Promoted}, **errors(400, 403, 404, 409, 422, 503)},
)
async def promote_queued(
    request: Request,
    queued_message: _QueuedMessage,
    chat: OwnedChat,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Answer a message of the queue now. A running turn is stopped, and what there is of its answer kept."""
    refuse_archived(chat)
    which = QueuedMessageRef(queued_id=queued_message)
    key = checked_key(idempotency_key)
    await run_once(services_of(request), chat, caller, "promote_queued", which, key=key)
    return json_answer({"message": "The message is next."}, 202)
