"""Routes of sharing (spec api.md 4.5). A root is shared, and all chats below it with it."""

from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.chats.access import CurrentChat, require
from api.errors import ApiError, invalid
from api.schemas import errors
from api.services import services_of
from api.sharing import Acl, EditAcl, refused
from models.permissions import ChatAction
from models.store import sharing
from models.store.chats import ChatRecord
from models.store.sharing import Shared, UnknownPrincipals, shared_chat

router = APIRouter(tags=["sharing"])


@router.get("/chats/{chat}/acl", operation_id="getChatAcl", responses=errors(400, 404))
async def get_acl(request: Request, chat: CurrentChat) -> Acl:
    """With whom a chat is shared."""
    return Acl.of(await sharing.read_readers(services_of(request).engine, _shared(chat)))


@router.patch(
    "/chats/{chat}/acl",
    operation_id="editChatAcl",
    status_code=204,
    responses={204: {"description": "Changed."}, **errors(400, 403, 404)},
)
async def edit_acl(
    request: Request,
    body: EditAcl,
    chat: CurrentChat,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "chat_acl")],
) -> Response:
    """Let users and groups of the chat's organization read it, or let them no more."""
    trail.about(chat.id, organization_id=chat.organization_id)
    require(chat, ChatAction.SHARE)
    shared = _shared(chat)
    edit = body.checked()
    if caller.user_id in edit.users:
        raise invalid(("user_roles", "You cannot change your own role."))
    change = trail.change(body.model_dump(exclude_defaults=True))
    try:
        await sharing.edit_readers(services_of(request).engine, shared, edit, change)
    except UnknownPrincipals as error:
        raise refused(error) from None
    return Response(status_code=204)


def _shared(chat: ChatRecord) -> Shared:
    if chat.parent_chat_id is not None:
        root = chat.root_chat_id or chat.parent_chat_id
        raise ApiError(400, "A chat of a subagent is shared with its root.", f"The root is {root}.")
    return shared_chat(chat.id, chat.organization_id)
