"""Routes of chats (spec api.md section 4, 5.7)."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import structlog
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller
from api.chats.access import CurrentChat, OwnedChat, UpdatableChat
from api.chats.labels import checked_labels
from api.chats.schemas import CreateChat, EditChat
from api.chats.search import parse_filter
from api.chats.tools import checked_tools
from api.commands import run_command
from api.content import NO_SUCH_FILE, read_content
from api.errors import ApiError, invalid, not_found
from api.features import ZERO_UUID, refuse_unavailable
from api.payloads import chat_payload, file_payload
from api.requests import (
    IdempotencyKey,
    checked_key,
    choose_model,
    json_answer,
    key_reused,
    request_hash,
    without_nul,
)
from api.schemas import Chat, errors
from api.services import Services, services_of
from api.temporal_gateway import Command, Unavailable
from models.hints import Hint, HintKind
from models.naming import provisional_title
from models.permissions import Permission
from models.store import chats
from models.store.accounts import Caller
from models.store.chats import ChatRecord, FilesGoneError, NewChat
from models.store.file_links import named_files
from models.store.files import files_of_chat
from models.turns import SetArchived

log = structlog.get_logger("chats")
router = APIRouter(tags=["chats"])

_DEPLOYMENT_PROMPT = (Path(__file__).parent / "deployment_prompt.md").read_text().strip()
_MAX_TITLE = 200


@router.post(
    "/chats",
    operation_id="createChat",
    status_code=201,
    responses={201: {"model": Chat}, **errors(400, 403, 413, 422)},
)
async def create_chat(
    request: Request, body: CreateChat, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> Response:
    """Make a chat and begin to answer its first message."""
    services = services_of(request)
    key = checked_key(idempotency_key)
    new = await _new_chat(services, caller, body, key)
    try:
        chat = await chats.create_chat(services.engine, caller, new)
    except FilesGoneError:
        raise invalid(("content", NO_SUCH_FILE)) from None
    if chat.request_hash != new.request_hash:
        raise key_reused()
    services.hints.send(Hint(chat.owner_id, chat.id, HintKind.CREATED))
    try:
        await services.gateway.start_chat(chat)
    except Unavailable as error:
        # the chat is stored and says that it runs: the sweeper will see to it
        log.warning("chat accepted but not started yet", chat_id=str(chat.id), error=str(error))
    payload = await _with_files(services, chat) if named_files(new.content) else chat_payload(chat)
    return json_answer(payload, 201)


async def _new_chat(services: Services, caller: Caller, body: CreateChat, key: str | None) -> NewChat:
    refuse_unavailable(
        body,
        (
            "workspace_id",
            "mcp_server_ids",
            "plan_mode",
            "reasoning_effort",
            "orchestrator",
        ),
    )
    _require_membership(caller, body.organization_id)
    if body.model_config_id == ZERO_UUID:
        raise invalid(("model_config_id", "Must be the id of a model, or absent."))
    content = await read_content(services, caller, body.content)
    labels = checked_labels(body.labels or {})
    tools = checked_tools(body)
    prompts = [_DEPLOYMENT_PROMPT]
    if body.system_prompt and body.system_prompt.strip():
        prompts.append(body.system_prompt.strip())
    return NewChat(
        organization_id=body.organization_id,
        content=content,
        model_config_id=await choose_model(services, body.organization_id, body.model_config_id),
        title=provisional_title(content),
        client_type=body.client_type,
        labels=labels,
        system_prompts=prompts,
        tools=tools,
        idempotency_key=key,
        request_hash=request_hash(body),
    )


def _require_membership(caller: Caller, organization_id: UUID) -> None:
    if caller.role_in(organization_id) is None:
        raise ApiError(403, "You are not a member of this organization.")
    if not caller.may(Permission.CREATE_CHATS, organization_id):
        raise ApiError(403, "Auditors read the chats of an organization, and make none.")


@router.get(
    "/chats",
    operation_id="listChats",
    responses={200: {"model": list[Chat]}, **errors(400)},
)
async def list_chats(
    request: Request,
    caller: CurrentCaller,
    q: Annotated[
        str, Query(description="Terms `title:…` and `archived:true`; quote values with spaces.")
    ] = "",
    label: Annotated[list[str] | None, Query(description="`key:value`; may be repeated.")] = None,
    after_id: Annotated[UUID | None, Query(description="Resume after this chat.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> Response:
    """The caller's chats, last changed first."""
    found = await chats.list_chats(
        services_of(request).engine,
        caller,
        parse_filter(q, label or []),
        after_id=after_id,
        limit=limit,
        offset=offset,
    )
    if found is None:
        raise invalid(("after_id", "Is no chat of yours."))
    return json_answer([chat_payload(chat) for chat in found])


@router.get("/chats/{chat}", operation_id="getChat", responses={200: {"model": Chat}, **errors(400, 404)})
async def get_chat(request: Request, chat: CurrentChat) -> Response:
    """One chat, with its files."""
    return json_answer(await _with_files(services_of(request), chat))


async def _with_files(services: Services, chat: ChatRecord) -> dict[str, Any]:
    """A `Chat` with `files`, if it has any."""
    found = await files_of_chat(services.engine, chat.id)
    payload = chat_payload(chat)
    return {**payload, "files": [file_payload(file) for file in found]} if found else payload


@router.patch(
    "/chats/{chat}",
    operation_id="editChat",
    status_code=204,
    responses={204: {"description": "Changed."}, **errors(400, 404, 409, 503)},
)
async def edit_chat(request: Request, body: EditChat, chat: UpdatableChat, caller: CurrentCaller) -> Response:
    """Change title, labels or archived. Nothing is changed unless all of it can be."""
    refuse_unavailable(body, ("pin_order", "workspace_id", "plan_mode"))
    title = None if body.title is None else _checked_title(body.title)
    labels = None if body.labels is None else checked_labels(body.labels)
    services = services_of(request)
    if body.archived is not None:
        if body.archived == chat.state.archived:
            raise invalid(("archived", f"The chat is {'' if body.archived else 'not '}archived already."))
        await run_command(
            services.gateway,
            chat,
            "set_archived",
            SetArchived(archived=body.archived),
            update_id=f"set-archived:{uuid4()}",
        )
    await chats.edit_metadata(services.engine, caller, chat.id, title=title, labels=labels)
    if title is not None and title != chat.title:
        services.hints.send(Hint(chat.owner_id, chat.id, HintKind.TITLE_CHANGE))
    return Response(status_code=204)


def _checked_title(title: str) -> str:
    trimmed = without_nul("title", title).strip()
    if not 0 < len(trimmed) <= _MAX_TITLE:
        raise invalid(("title", f"Must have 1 to {_MAX_TITLE} characters."))
    return trimmed


@router.post(
    "/chats/{chat}/interrupt",
    operation_id="interruptChat",
    responses={200: {"model": Chat}, **errors(400, 404, 409, 503)},
)
async def interrupt_chat(
    request: Request, chat: UpdatableChat, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> Response:
    """Stop the running turn. What the model has said so far is kept; it appears as a message shortly."""
    return await _changed_by(request, chat, caller, "interrupt", checked_key(idempotency_key))


@router.post(
    "/chats/{chat}/compact",
    operation_id="compactChat",
    responses={200: {"model": Chat}, **errors(400, 403, 404, 409, 503)},
)
async def compact_chat(request: Request, chat: OwnedChat, caller: CurrentCaller) -> Response:
    """Have the conversation summarized, so that the model reads the summary in its place. The chat runs
    until the summary is written; all messages stay to be read."""
    _refuse_archived(chat)
    return await _changed_by(request, chat, caller, "compact")


@router.post(
    "/chats/{chat}/clear",
    operation_id="clearChat",
    responses={200: {"model": Chat}, **errors(400, 403, 404, 409, 503)},
)
async def clear_chat(request: Request, chat: OwnedChat, caller: CurrentCaller) -> Response:
    """Let the model forget the conversation so far. All messages stay to be read."""
    _refuse_archived(chat)
    return await _changed_by(request, chat, caller, "clear")


def _refuse_archived(chat: ChatRecord) -> None:
    if chat.state.archived:
        raise ApiError(400, "The chat is archived.", "Unarchive it first.")


async def _changed_by(
    request: Request, chat: ChatRecord, caller: Caller, command: Command, key: str | None = None
) -> Response:
    """Run a command without an argument; the chat as the command left it."""
    services = services_of(request)
    receipt = await run_command(services.gateway, chat, command, update_id=f"{command}:{key or uuid4()}")
    now = await chats.find_chat(services.engine, caller, chat.id)
    if now is None:
        raise not_found("chat")
    # the worker may be further by now; the answer tells what this request has brought about
    return json_answer(chat_payload(replace(now, state=receipt.state)))
