"""The caller's own account: what a client must know before it can make a chat."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth.principals import CurrentCaller
from api.schemas import errors

router = APIRouter(tags=["users"])


class Me(BaseModel):
    """The user a token belongs to."""

    id: UUID
    username: str = Field(examples=["admin"])
    name: str
    organization_ids: list[UUID] = Field(description="Where this user may make chats.")


@router.get("/users/me", operation_id="getMe", responses=errors())
async def get_me(caller: CurrentCaller) -> Me:
    """The caller."""
    return Me(
        id=caller.user_id,
        username=caller.username,
        name=caller.name,
        organization_ids=[caller.organization_id],
    )
