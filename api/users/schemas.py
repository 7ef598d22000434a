"""What goes in and out of the routes of users."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from models.permissions import Role, Scope
from models.store.tokens import TokenRecord
from models.store.users import UserRecord

Username = Annotated[
    str,
    StringConstraints(pattern=r"^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,62}[a-zA-Z0-9])?$"),
    Field(description="1 to 64 letters, digits, and between them `.`, `_` and `-`.", examples=["ada"]),
]
DisplayName = Annotated[
    str, StringConstraints(max_length=128, pattern=r"^[^\x00]*$"), Field(examples=["Ada Lovelace"])
]
Email = Annotated[
    str,
    StringConstraints(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$"),
    Field(examples=["ada@example.com"]),
]


class RoleName(BaseModel):
    """A role by name."""

    name: str = Field(examples=["owner"])
    display_name: str = Field(examples=["Owner"])


class User(BaseModel):
    """A user."""

    id: UUID
    username: str = Field(examples=["ada"])
    name: str = Field(examples=["Ada Lovelace"])
    email: str = Field(description="Empty if it is not known.", examples=["ada@example.com"])
    status: Literal["active", "suspended"]
    created_at: datetime
    updated_at: datetime
    last_seen_at: datetime | None = Field(description="To the minute; null: never.")
    organization_ids: list[UUID] = Field(description="Where the user is a member, the first joined first.")
    roles: list[RoleName] = Field(description="On the whole site: `owner` or none.")

    @classmethod
    def of(cls, user: UserRecord) -> "User":
        return cls.model_validate(
            {
                **{name: getattr(user, name) for name in UserRecord.__dataclass_fields__},
                "email": user.email or "",
                "roles": role_names(user.site_role),
            }
        )


def role_names(role: str) -> list[RoleName]:
    """A role as the list that clients expect; the empty one is no role."""
    return [RoleName(name=role, display_name=role.capitalize())] if role else []


class UserPage(BaseModel):
    """A page of users. `count`: how many there are on all pages."""

    users: list[User]
    count: int


class CreateUser(BaseModel):
    """A new user. Without a password: users sign in through the OpenID provider, or use tokens."""

    username: Username
    name: DisplayName = ""
    email: Email | None = None
    organization_ids: list[UUID] = Field(default_factory=list[UUID], max_length=50)
    role: Role = Field(default=Role.MEMBER, description="In these organizations.")


class EditUser(BaseModel):
    """What to change; what is absent stays."""

    username: Username | None = None
    name: DisplayName | None = None
    email: Email | None = None


class EditRoles(BaseModel):
    """All roles a user is to have."""

    roles: list[str] = Field(max_length=4, examples=[["owner"]])


class CreateToken(BaseModel):
    """A new token."""

    token_name: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]*$")] = (
        Field(default="token", examples=["laptop"])
    )
    scopes: list[Scope] | None = Field(
        default=None, max_length=10, description="What it is good for. Absent: everything its user may do."
    )
    scope: Literal["all"] | None = Field(default=None, description="An older way to say `scopes: [all]`.")
    lifetime_seconds: int | None = Field(
        default=None, ge=1, le=10 * 365 * 86400, description="Absent: until it is revoked."
    )
    lifetime: int | None = Field(
        default=None, ge=0, le=10 * 365 * 86400 * 10**9, description="The same in nanoseconds; 0: absent."
    )


class Token(BaseModel):
    """A token, without its secret."""

    id: UUID
    user_id: UUID
    token_name: str = Field(examples=["laptop"])
    kind: Literal["token", "session"] = Field(description="`session`: a sign-in has made it.")
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None = Field(description="Null: it holds until it is revoked.")
    last_used: datetime | None = Field(description="To the minute; null: never.")

    @classmethod
    def of(cls, token: TokenRecord) -> "Token":
        return cls.model_validate(
            {
                **{name: getattr(token, name) for name in TokenRecord.__dataclass_fields__},
                "token_name": token.name,
                "last_used": token.last_used_at,
            }
        )


class NewToken(Token):
    """A token with its secret, which is shown here and never again."""

    key: str = Field(examples=["perdure_…"])
