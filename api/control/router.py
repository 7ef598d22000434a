"""Routes of commands without a body (spec api.md 5.7 to 5.10)."""

from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller
from api.chats.access import OwnedChat, UpdatableChat, refuse_archived
from api.commands import run_once
from api.errors import not_found
from api.payloads import chat_payload
from api.requests import IdempotencyKey, checked_key, json_answer
from api.schemas import Chat, errors
from api.services import services_of
from api.temporal_gateway import Command
from models.store import chats
from models.store.accounts import Caller
from models.store.chats import ChatRecord

router = APIRouter(tags=["chats"])


@router.post(
    "/chats/{chat}/interrupt",
    operation_id="interruptChat",
    responses={200: {"model": Chat}, **errors(400, 404, 409, 422, 503)},
)
async def interrupt_chat(
    request: Request, chat: UpdatableChat, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> Response:
    """Stop the running turn. What the model has said so far is kept; it appears as a message shortly."""
    return await _changed_by(request, chat, caller, "interrupt", idempotency_key)


@router.post(
    "/chats/{chat}/compact",
    operation_id="compactChat",
    responses={200: {"model": Chat}, **errors(400, 403, 404, 409, 422, 503)},
)
async def compact_chat(
    request: Request, chat: OwnedChat, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> Response:
    """Have the conversation summarized, so that the model reads the summary in its place. The chat runs
    until the summary is written; all messages stay to be read."""
    refuse_archived(chat)
    return await _changed_by(request, chat, caller, "compact", idempotency_key)


@router.post(
    "/chats/{chat}/clear",
    operation_id="clearChat",
    responses={200: {"model": Chat}, **errors(400, 403, 404, 409, 422, 503)},
)
async def clear_chat(
    request: Request, chat: OwnedChat, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> Response:
    """Let the model forget the conversation so far. All messages stay to be read."""
    refuse_archived(chat)
    return await _changed_by(request, chat, caller, "clear", idempotency_key)


@router.post(
    "/chats/{chat}/reconcile-invalid",
    operation_id="reconcileInvalidChat",
    responses={200: {"model": Chat}, **errors(400, 404, 409, 422, 503)},
)
async def reconcile_chat(
    request: Request, chat: UpdatableChat, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> Response:
    """Bring a chat back whose status, queue and archiving contradict each other. It rests in `error` then,
    with its queue."""
    return await _changed_by(request, chat, caller, "reconcile_invalid", idempotency_key)


async def _changed_by(
    request: Request, chat: ChatRecord, caller: Caller, command: Command, key: str | None
) -> Response:
    """Run a command without an argument; the chat as the command left it."""
    services = services_of(request)
    state = await run_once(services, chat, caller, command, key=checked_key(key))
    now = await chats.find_chat(services.engine, caller, chat.id)
    if now is None:
        raise not_found("chat")
    # the worker may be further by now; the answer tells what this request has brought about
    return json_answer(chat_payload(replace(now, state=state)))
