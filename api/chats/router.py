"""Routes of chats (spec api.md section 4, 5.7)."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller
from api.budgets.refusal import used_up
from api.chats.access import CurrentChat, UpdatableChat
from api.chats.editing import apply_edit
from api.chats.labels import checked_labels
from api.chats.schemas import ChatCost, CreateChat, EditChat
from api.chats.search import checked_workspaces, parse_filter
from api.chats.tools import checked_tools
from api.chats.trail import ChatTrail
from api.content import NO_SUCH_FILE, read_content
from api.errors import ApiError, invalid
from api.features import ZERO_UUID, refuse_unavailable
from api.payloads import chat_payload, file_payload, listed_payload
from api.prompts import deployment_prompts
from api.requests import (
    IdempotencyKey,
    checked_effort,
    checked_key,
    choose_model,
    json_answer,
    key_reused,
    personal_choice,
    request_hash,
)
from api.schemas import Chat, errors
from api.services import Services, services_of
from api.temporal_gateway import Unavailable
from models.hints import Hint, HintKind
from models.naming import provisional_title
from models.permissions import Permission
from models.spending import Payer
from models.store import chats, listing
from models.store.accounts import Caller
from models.store.chats import BudgetExhaustedError, ChatRecord, FilesGoneError, NewChat
from models.store.costs import read_cost
from models.store.file_links import named_files
from models.store.files import files_of_chat
from models.store.listing import ListedChat

log = structlog.get_logger("chats")
router = APIRouter(tags=["chats"])


@router.post(
    "/chats",
    operation_id="createChat",
    status_code=201,
    responses={201: {"model": Chat}, **errors(400, 403, 409, 413, 422)},
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
    except BudgetExhaustedError:
        raise await used_up(services, Payer(new.organization_id, caller.user_id)) from None
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
            "orchestrator",
        ),
    )
    _require_membership(caller, body.organization_id)
    if body.model_config_id == ZERO_UUID:
        raise invalid(("model_config_id", "Must be the id of a model, or absent."))
    content = await read_content(services, caller, body.content)
    labels = checked_labels(body.labels or {})
    tools = checked_tools(body)
    effort = checked_effort(body.reasoning_effort)
    own = None
    if body.model_config_id is None:
        own = await personal_choice(services, body.organization_id, caller.user_id)
    prompts = await deployment_prompts(services.configuration)
    if body.system_prompt and body.system_prompt.strip():
        prompts.append(body.system_prompt.strip())
    return NewChat(
        organization_id=body.organization_id,
        content=content,
        model_config_id=await choose_model(
            services,
            body.organization_id,
            caller.user_id,
            own.model_config_id if own else body.model_config_id,
        ),
        title=provisional_title(content),
        client_type=body.client_type,
        labels=labels,
        system_prompts=prompts,
        tools=tools,
        reasoning_effort=effort or (own.effort if own else None),
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
        str,
        Query(
            description="Terms like `title:clock has_unread:true`, all of which must match; values with "
            "spaces stand in double quotes. Known are `title`, `search`, `archived`, `has_unread`, `source`, "
            "`pr_status`, `diff_url`, `pr`, `repo` and `pr_title`."
        ),
    ] = "",
    label: Annotated[list[str] | None, Query(description="`key:value`; may be repeated.")] = None,
    after_id: Annotated[UUID | None, Query(description="Resume after this chat.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> Response:
    """The caller's chats with those of their subagents: pinned ones first, then the others, last changed
    first."""
    found = await listing.list_chats(
        services_of(request).engine,
        caller,
        parse_filter(q, label or []),
        after_id=after_id,
        limit=limit,
        offset=offset,
    )
    if found is None:
        raise invalid(("after_id", "Is no chat of yours."))
    return json_answer([listed_payload(chat) for chat in found])


@router.get(
    "/chats/by-workspace",
    operation_id="listChatsByWorkspace",
    responses={200: {"model": dict[UUID, UUID]}, **errors(400)},
)
async def chats_by_workspace(
    caller: CurrentCaller,
    workspace_ids: Annotated[str, Query(description="Ids, separated by commas; at most 25.")] = "",
) -> Response:
    """The chat that was last changed, for each of these workspaces. No chat has one in this version."""
    checked_workspaces(workspace_ids)
    return json_answer({})


@router.get("/chats/{chat}", operation_id="getChat", responses={200: {"model": Chat}, **errors(400, 404)})
async def get_chat(request: Request, chat: CurrentChat, caller: CurrentCaller) -> Response:
    """One chat, with its files and those of its subagents."""
    services = services_of(request)
    children = (
        await listing.read_children(services.engine, caller, chat) if chat.parent_chat_id is None else ()
    )
    payload = await _with_files(services, chat, children)
    active = await chats.read_active_tools(services.engine, chat.id)
    return json_answer({**payload, "active_tools": active} if active else payload)


async def _with_files(
    services: Services, chat: ChatRecord, children: Sequence[ListedChat] = ()
) -> dict[str, Any]:
    """A `Chat` with `files`, if it has any."""
    found = await files_of_chat(services.engine, chat.id)
    payload = chat_payload(chat, children)
    return {**payload, "files": [file_payload(file) for file in found]} if found else payload


@router.get(
    "/chats/{chat}/cost",
    operation_id="getChatCost",
    responses={200: {"model": ChatCost}, **errors(400, 404)},
)
async def get_cost(request: Request, chat: CurrentChat, caller: CurrentCaller) -> Response:
    """What a chat, its root and all chats of its subagents have cost together."""
    cost = await read_cost(services_of(request).engine, caller, chat)
    return json_answer(
        {
            "chat_id": chat.id,
            "total_cost_micros": cost.total_micros,
            "request_count": cost.requests,
            "unpriced_request_count": cost.unpriced,
        }
    )


@router.patch(
    "/chats/{chat}",
    operation_id="editChat",
    status_code=204,
    responses={204: {"description": "Changed."}, **errors(400, 404, 409, 503)},
)
async def edit_chat(
    request: Request, trail: ChatTrail, body: EditChat, chat: UpdatableChat, caller: CurrentCaller
) -> Response:
    """Change title, labels, place among the pinned chats, or archived. Nothing is changed unless all of it
    can be."""
    await apply_edit(services_of(request), caller, chat, body, trail)
    return Response(status_code=204)
