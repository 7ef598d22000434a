"""Routes of messages (spec api.md 5.1, 5.2)."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller
from api.chats.access import CurrentChat, OwnedChat
from api.content import read_content
from api.errors import ApiError, invalid
from api.features import ZERO_UUID, refuse_unavailable
from api.messages.schemas import MessagePage, SendChatMessage, SentMessage
from api.messages.sending import deliver, sent_payload
from api.payloads import message_payload, queued_payload
from api.requests import IdempotencyKey, checked_key, choose_model, json_answer, key_reused, request_hash
from api.schemas import errors
from api.services import Services, services_of
from models.store import drafts, messages
from models.store.chats import ChatRecord
from models.turns import BusyBehavior, SendMessage

router = APIRouter(tags=["messages"])

_MAX_ID = 2**63 - 1
_Cursor = Annotated[int | None, Query(gt=0, le=_MAX_ID)]


@router.get(
    "/chats/{chat}/messages",
    operation_id="listMessages",
    responses={200: {"model": MessagePage}, **errors(400, 404)},
)
async def list_messages(
    request: Request,
    chat: CurrentChat,
    before_id: _Cursor = None,
    after_id: _Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """History, newest first; with `after_id` alone oldest first. `has_more` looks the same way."""
    if before_id is not None and after_id is not None and after_id >= before_id:
        raise invalid(("after_id", "Must be less than before_id."))
    engine = services_of(request).engine
    page = await messages.read_page(engine, chat.id, before_id=before_id, after_id=after_id, limit=limit)
    queue: list[dict[str, Any]] = []
    if before_id is None and after_id is None:
        queue = [queued_payload(row) for row in await messages.read_queue(engine, chat.id)]
    return json_answer(
        {
            "messages": [message_payload(row) for row in page.messages],
            "queued_messages": queue,
            "has_more": page.has_more,
        }
    )


@router.post(
    "/chats/{chat}/messages",
    operation_id="sendMessage",
    responses={200: {"model": SentMessage}, **errors(400, 403, 404, 409, 413, 422, 429, 503)},
)
async def send_message(
    request: Request,
    body: SendChatMessage,
    chat: OwnedChat,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Say something. An idle chat begins to answer; a busy one queues the message or is interrupted."""
    services = services_of(request)
    if chat.state.archived:
        raise ApiError(400, "The chat is archived.", "Unarchive it first: PATCH it with archived false.")
    refuse_unavailable(body, ("reasoning_effort", "mcp_server_ids", "plan_mode"))
    content = await read_content(services, caller, body.content, chat.id)
    hashed = request_hash(body)
    draft = await drafts.store_draft(
        services.engine,
        chat_id=chat.id,
        created_by=caller.user_id,
        content=content,
        model_config_id=await _model(services, chat, body.model_config_id),
        request_hash=hashed,
        idempotency_key=checked_key(idempotency_key),
    )
    if draft.request_hash != hashed:
        raise key_reused()
    command = SendMessage(draft_id=draft.id, busy_behavior=BusyBehavior(body.busy_behavior))
    answer = await deliver(services, chat, draft, "send_message", command)
    return json_answer(await sent_payload(services, chat, draft, content, answer))


async def _model(services: Services, chat: ChatRecord, wanted: UUID | None) -> UUID | None:
    """The model to store with a message; None: whichever the chat used last."""
    if wanted is not None and wanted != ZERO_UUID:
        return await choose_model(services, chat.organization_id, chat.owner_id, wanted)
    if chat.model_enabled:
        return None
    return await choose_model(services, chat.organization_id, chat.owner_id, None)
