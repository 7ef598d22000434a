"""Routes of messages (spec api.md 5.1 to 5.4)."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller
from api.budgets.refusal import budget_problem
from api.chats.access import CurrentChat, OwnedChat, refuse_archived
from api.content import read_content
from api.errors import ApiError, invalid, not_found
from api.features import ZERO_UUID, refuse_unavailable
from api.messages.schemas import (
    EditChatMessage,
    EditedMessage,
    MessagePage,
    PromptPage,
    SendChatMessage,
    SentMessage,
)
from api.messages.sending import deliver, edited_payload, sent_payload, store
from api.payloads import message_payload, queued_payload
from api.requests import (
    MAX_ID,
    IdempotencyKey,
    checked_effort,
    checked_key,
    choose_model,
    json_answer,
    request_hash,
)
from api.schemas import errors
from api.services import Services, services_of
from models.store import messages
from models.store.chats import ChatRecord
from models.store.drafts import NewDraft
from models.turns import BusyBehavior, EditMessage, SendMessage

router = APIRouter(tags=["messages"])

_PROMPTS = 500
_Cursor = Annotated[int | None, Query(gt=0, le=MAX_ID)]


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
    refuse_archived(chat)
    refuse_unavailable(body, ("mcp_server_ids", "plan_mode"))
    services = services_of(request)
    content = await read_content(services, caller, body.content, chat.id)
    new = NewDraft(
        content=content,
        model_config_id=await _model(services, chat, body.model_config_id),
        reasoning_effort=checked_effort(body.reasoning_effort),
        request_hash=request_hash(body),
        idempotency_key=checked_key(idempotency_key),
    )
    draft = await store(services, chat, caller, new, await budget_problem(services, chat))
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


@router.patch(
    "/chats/{chat}/messages/{message}",
    operation_id="editMessage",
    responses={200: {"model": EditedMessage}, **errors(400, 403, 404, 409, 413, 422, 503)},
)
async def edit_message(
    request: Request,
    body: EditChatMessage,
    message: Annotated[int, Path(gt=0, le=MAX_ID, description="A message of the user.")],
    chat: OwnedChat,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Say something else in the place of a message. It and all that came after it are deleted, the queue
    included, and the chat begins to answer anew; what it is doing comes to nothing."""
    refuse_archived(chat)
    refuse_unavailable(body, ("mcp_server_ids",))
    services = services_of(request)
    wanted = body.model_config_id
    new = NewDraft(
        content=await read_content(services, caller, body.content, chat.id),
        model_config_id=await choose_model(services, chat.organization_id, chat.owner_id, wanted)
        if wanted is not None and wanted != ZERO_UUID
        else None,
        reasoning_effort=checked_effort(body.reasoning_effort),
        request_hash=request_hash(body, message),
        idempotency_key=checked_key(idempotency_key),
    )
    problem = await _not_editable(services, chat, message) or await budget_problem(services, chat)
    draft = await store(services, chat, caller, new, problem)
    command = EditMessage(draft_id=draft.id, message_id=message)
    answer = await deliver(services, chat, draft, "edit_message", command)
    return json_answer(await edited_payload(services, chat, answer))


async def _not_editable(services: Services, chat: ChatRecord, message_id: int) -> ApiError | None:
    """Why a message cannot be edited, if it cannot."""
    role = await messages.find_role(services.engine, chat.id, message_id)
    if role is None:
        return not_found("message")
    return None if role == "user" else invalid(("message", "Is no message of a user."))


@router.get(
    "/chats/{chat}/prompts",
    operation_id="listPrompts",
    responses={200: {"model": PromptPage}, **errors(400, 404)},
)
async def list_prompts(
    request: Request,
    chat: CurrentChat,
    limit: Annotated[int, Query(ge=0, le=2000, description="0: 500.")] = 0,
) -> Response:
    """What the user has said, newest first."""
    found = await messages.read_prompts(services_of(request).engine, chat.id, limit or _PROMPTS)
    return json_answer({"prompts": [{"id": message_id, "text": words} for message_id, words in found]})
