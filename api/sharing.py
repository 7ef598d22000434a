"""The shapes in which something is shared with users and groups (spec api.md 4.5, 11)."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.errors import ApiError, invalid
from api.organizations.schemas import Group, group_fields
from models.store.sharing import Readers, ReadersEdit, UnknownPrincipals

_MAX_PRINCIPALS = 200


class AclUser(BaseModel):
    """A user with whom it is shared."""

    id: UUID
    username: str
    name: str
    role: Literal["read"] = "read"


class AclGroup(Group):
    """A group with whose members it is shared."""

    role: Literal["read"] = "read"


class Acl(BaseModel):
    """With whom it is shared."""

    users: list[AclUser]
    groups: list[AclGroup]

    @classmethod
    def of(cls, readers: Readers) -> "Acl":
        return cls(
            users=[AclUser(id=one.id, username=one.username, name=one.name) for one in readers.users],
            groups=[AclGroup.model_validate(group_fields(group)) for group in readers.groups],
        )


class EditAcl(BaseModel):
    """`read` shares it, the empty role ends that; who is not named stays as they are."""

    user_roles: dict[str, str] = Field(
        default_factory=dict[str, str],
        max_length=_MAX_PRINCIPALS,
        examples=[{"0f8fad5b-d9cb-469f-a165-70867728950e": "read"}],
    )
    group_roles: dict[str, str] = Field(default_factory=dict[str, str], max_length=_MAX_PRINCIPALS)

    def checked(self) -> ReadersEdit:
        """What it asks for.

        Raises:
            ApiError: 400, a role or a key makes no sense.
        """
        return ReadersEdit(_checked("user_roles", self.user_roles), _checked("group_roles", self.group_roles))


def refused(error: UnknownPrincipals) -> ApiError:
    """Somebody named is not there."""
    return invalid(
        *[("user_roles", f"There is no user {user} in the organization.") for user in error.users],
        *[("group_roles", f"There is no group {group} in the organization.") for group in error.groups],
    )


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
