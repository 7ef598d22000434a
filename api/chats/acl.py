"""Routes of sharing (spec api.md 4.5). A root is shared, and all chats below it with it."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.chats.access import CurrentChat, require
from api.errors import ApiError, invalid
from api.organizations.schemas import Group, group_fields
from api.schemas import errors
from api.services import services_of
from models.permissions import ChatAction
from models.store import sharing
from models.store.chats import ChatRecord
from models.store.sharing import ReadersEdit, UnknownPrincipals

router = APIRouter(tags=["sharing"])

_MAX_PRINCIPALS = 200


class ChatUser(BaseModel):
    """A user who may read the chat."""

    id: UUID
    username: str
    name: str
    role: Literal["read"] = "read"


class ChatGroup(Group):
    """A group whose members may read the chat."""

    role: Literal["read"] = "read"


class ChatAcl(BaseModel):
    """With whom a chat is shared."""

    users: list[ChatUser]
    groups: list[ChatGroup]


class EditChatAcl(BaseModel):
    """`read` shares the chat, the empty role ends that; who is not named stays as they are."""

    user_roles: dict[str, str] = Field(
        default_factory=dict[str, str],
        max_length=_MAX_PRINCIPALS,
        examples=[{"0f8fad5b-d9cb-469f-a165-70867728950e": "read"}],
    )
    group_roles: dict[str, str] = Field(default_factory=dict[str, str], max_length=_MAX_PRINCIPALS)


@router.get("/chats/{chat}/acl", operation_id="getChatAcl", responses=errors(400, 404))
async def get_acl(request: Request, chat: CurrentChat) -> ChatAcl:
    """With whom a chat is shared."""
    _refuse_child(chat)
    readers = await sharing.read_readers(services_of(request).engine, chat.id)
    return ChatAcl(
        users=[ChatUser(id=one.id, username=one.username, name=one.name) for one in readers.users],
        groups=[ChatGroup.model_validate(group_fields(group)) for group in readers.groups],
    )


@router.patch(
    "/chats/{chat}/acl",
    operation_id="editChatAcl",
    status_code=204,
    responses={204: {"description": "Changed."}, **errors(400, 403, 404)},
)
async def edit_acl(
    request: Request,
    body: EditChatAcl,
    chat: CurrentChat,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "chat_acl")],
) -> Response:
    """Let users and groups of the chat's organization read it, or let them no more."""
    trail.about(chat.id, organization_id=chat.organization_id)
    require(chat, ChatAction.SHARE)
    _refuse_child(chat)
    edit = ReadersEdit(_checked("user_roles", body.user_roles), _checked("group_roles", body.group_roles))
    if caller.user_id in edit.users:
        raise invalid(("user_roles", "You cannot change your own role."))
    try:
        await sharing.edit_readers(
            services_of(request).engine,
            chat.id,
            chat.organization_id,
            edit,
            trail.change(body.model_dump(exclude_defaults=True)),
        )
    except UnknownPrincipals as error:
        raise invalid(
            *[("user_roles", f"There is no user {user} in the organization.") for user in error.users],
            *[("group_roles", f"There is no group {group} in the organization.") for group in error.groups],
        ) from None
    return Response(status_code=204)


def _refuse_child(chat: ChatRecord) -> None:
    if chat.parent_chat_id is not None:
        root = chat.root_chat_id or chat.parent_chat_id
        raise ApiError(400, "A chat of a subagent is shared with its root.", f"The root is {root}.")


def _checked(field: str, roles: dict[str, str]) -> dict[UUID, bool]:
    checked: dict[UUID, bool] = {}
    for principal, role in roles.items():
        if role not in ("read", ""):
            raise invalid((field, "A role must be `read`, or empty to end the sharing."))
        try:
            checked[UUID(principal)] = role == "read"
        except ValueError:
            raise invalid((field, "Keys must be UUIDs.")) from None
    return checked
