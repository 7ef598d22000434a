"""Who the caller is."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth.principals import CurrentCaller
from api.schemas import errors

router = APIRouter(prefix="/users", tags=["users"])


class UserAnswer(BaseModel):
    """A user, as far as a client needs to know itself."""

    id: UUID
    username: str = Field(examples=["admin"])
    name: str = Field(examples=["Administrator"])
    organization_ids: list[UUID] = Field(description="Where the user may create chats.")


@router.get("/me", operation_id="getMe", responses=errors())
async def me(caller: CurrentCaller) -> UserAnswer:
    """The user the token belongs to."""
    return UserAnswer(
        id=caller.user_id,
        username=caller.username,
        name=caller.name,
        organization_ids=caller.organization_ids,
    )
