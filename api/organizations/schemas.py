"""What goes in and out of the routes of organizations, members and groups."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from api.users.schemas import DisplayName, RoleName, role_names
from models.permissions import Role
from models.store.first_start import FIRST_ORGANIZATION
from models.store.groups import GroupMemberRecord, GroupRecord
from models.store.organizations import MemberRecord, OrganizationRecord

Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-zA-Z0-9](?:[a-zA-Z0-9_-]{0,62}[a-zA-Z0-9])?$"),
    Field(description="1 to 64 letters, digits, and between them `_` and `-`.", examples=["research"]),
]


class Organization(BaseModel):
    """An organization. Chats, models and groups belong to one."""

    id: UUID
    name: str = Field(examples=["research"])
    display_name: str = Field(examples=["Research"])
    created_at: datetime
    updated_at: datetime
    is_default: bool

    @classmethod
    def of(cls, record: OrganizationRecord) -> "Organization":
        fields = {name: getattr(record, name) for name in OrganizationRecord.__dataclass_fields__}
        fields["display_name"] = record.display_name or record.name
        return cls.model_validate({**fields, "is_default": record.name == FIRST_ORGANIZATION})


class CreateOrganization(BaseModel):
    """A new organization; who makes it is its first owner."""

    name: Slug
    display_name: DisplayName = ""


class EditOrganization(BaseModel):
    """What to change; what is absent stays."""

    name: Slug | None = None
    display_name: DisplayName | None = None


class Member(BaseModel):
    """A user as a member of an organization."""

    user_id: UUID
    organization_id: UUID
    username: str
    name: str
    email: str
    status: Literal["active", "suspended"]
    created_at: datetime = Field(description="When the user joined.")
    roles: list[RoleName] = Field(description="Exactly one: `owner`, `admin`, `member` or `auditor`.")
    global_roles: list[RoleName] = Field(description="On the whole site.")

    @classmethod
    def of(cls, member: MemberRecord) -> "Member":
        fields = {name: getattr(member, name) for name in MemberRecord.__dataclass_fields__}
        roles = {"roles": role_names(member.role), "global_roles": role_names(member.site_role)}
        return cls.model_validate({**fields, **roles, "email": member.email or ""})


class MemberPage(BaseModel):
    """A page of members. `count`: how many there are on all pages."""

    members: list[Member]
    count: int


class EditMemberRoles(BaseModel):
    """The role a member is to have."""

    roles: list[Role] = Field(min_length=1, max_length=1, examples=[["admin"]])


class AddMember(BaseModel):
    """As what a user joins."""

    roles: list[Role] = Field(default_factory=lambda: [Role.MEMBER], min_length=1, max_length=1)


class GroupMember(BaseModel):
    """A user in a group."""

    id: UUID
    username: str
    name: str


class Group(BaseModel):
    """Members whom chats are shared with together."""

    id: UUID
    organization_id: UUID
    name: str = Field(examples=["reviewers"])
    display_name: str = Field(examples=["Reviewers"])
    created_at: datetime
    total_member_count: int

    @classmethod
    def of(cls, group: GroupRecord) -> "Group":
        return cls.model_validate(group_fields(group))


class GroupWithMembers(Group):
    """A group and the first thousand of its members, by username."""

    members: list[GroupMember]

    @classmethod
    def of_members(cls, group: GroupRecord, members: list[GroupMemberRecord]) -> "GroupWithMembers":
        people = [GroupMember(id=one.id, username=one.username, name=one.name) for one in members]
        return cls.model_validate({**group_fields(group), "members": people})


def group_fields(group: GroupRecord) -> dict[str, object]:
    """A group as JSON has it."""
    return {
        "id": group.id,
        "organization_id": group.organization_id,
        "name": group.name,
        "display_name": group.display_name or group.name,
        "created_at": group.created_at,
        "total_member_count": group.member_count,
    }


class CreateGroup(BaseModel):
    """A new group, without members."""

    name: Slug
    display_name: DisplayName = ""


class EditGroup(BaseModel):
    """What to change; what is absent stays."""

    name: Slug | None = None
    display_name: DisplayName | None = None
    add_users: list[UUID] = Field(default_factory=list[UUID], max_length=200)
    remove_users: list[UUID] = Field(default_factory=list[UUID], max_length=200)
