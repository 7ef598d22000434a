"""Organizations, their members and groups."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any

from perdure.client.connection import Connection
from perdure.client.reading import Answered, given, path_of, read, read_all
from perdure.client.shapes import RoleName, Shape

_PAGE = 200


class Organization(Shape):
    """An organization. Chats, models and groups belong to one."""

    id: str
    name: str
    display_name: str = ""
    is_default: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Member(Shape):
    """A user as a member. `roles` holds one: `owner`, `admin`, `member` or `auditor`."""

    user_id: str
    organization_id: str
    username: str
    name: str = ""
    email: str = ""
    status: str = "active"
    roles: list[RoleName] = []
    global_roles: list[RoleName] = []
    created_at: datetime | None = None

    @property
    def role(self) -> str:
        """The name of the role in the organization."""
        return self.roles[0].name if self.roles else ""


class GroupMember(Shape):
    """A user in a group."""

    id: str
    username: str
    name: str = ""


class Group(Shape):
    """Members whom chats are shared with together. `members` is filled where one group is asked for."""

    id: str
    organization_id: str
    name: str
    display_name: str = ""
    total_member_count: int = 0
    members: list[GroupMember] = []
    created_at: datetime | None = None


class Organizations:
    """Finds, makes and changes organizations. Each is named by id or name; `default` is that of the first
    start."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> AsyncGenerator[Organization]:
        """The caller's organizations, by name; site owners see all. Read a page at a time."""
        return _pages(self._connection, "/organizations", Organization)

    async def get(self, organization: str) -> Organization:
        """One organization."""
        return read(Organization, await self._connection.request("GET", _path(organization)))

    async def create(self, name: str, *, display_name: str = "") -> Organization:
        """Make an organization and be its first owner. Only owners of the site may."""
        body = {"name": name, "display_name": display_name}
        return read(Organization, await self._connection.request("POST", "/organizations", json=body))

    async def edit(
        self, organization: str, *, name: str | None = None, display_name: str | None = None
    ) -> Organization:
        """Change what is given."""
        body = given(name=name, display_name=display_name)
        return read(Organization, await self._connection.request("PATCH", _path(organization), json=body))

    def members(self, organization: str, *, search: str | None = None) -> AsyncGenerator[Member]:
        """Members by username, read a page at a time."""
        return _pages(self._connection, f"{_path(organization)}/members", Member, {"q": search})

    async def member(self, organization: str, user: str) -> Member:
        """One member."""
        return read(Member, await self._connection.request("GET", _member(organization, user)))

    async def add_member(self, organization: str, user: str, *, role: str = "member") -> Member:
        """Make a user a member.

        Raises:
            NotFound: You know no such user.
            Conflict: They are a member already.
        """
        body = {"roles": [role]}
        return read(Member, await self._connection.request("POST", _member(organization, user), json=body))

    async def set_role(self, organization: str, user: str, role: str) -> Member:
        """Give a member another role. Owners are made and unmade by owners."""
        path = f"{_member(organization, user)}/roles"
        return read(Member, await self._connection.request("PUT", path, json={"roles": [role]}))

    async def remove_member(self, organization: str, user: str) -> None:
        """End a membership; everybody may end their own."""
        await self._connection.request("DELETE", _member(organization, user))

    def groups(self, organization: str) -> AsyncGenerator[Group]:
        """Groups by name, read a page at a time."""
        return _pages(self._connection, f"{_path(organization)}/groups", Group)

    async def create_group(self, organization: str, name: str, *, display_name: str = "") -> Group:
        """Make a group without members."""
        body = {"name": name, "display_name": display_name}
        path = f"{_path(organization)}/groups"
        return read(Group, await self._connection.request("POST", path, json=body))


class Groups:
    """Groups by their ids."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, group_id: str) -> Group:
        """A group and the first thousand of its members."""
        return read(Group, await self._connection.request("GET", path_of("groups", group_id)))

    async def edit(
        self,
        group_id: str,
        *,
        name: str | None = None,
        display_name: str | None = None,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> Group:
        """Change what is given, and who is in it, by the ids of users."""
        body = given(name=name, display_name=display_name, add_users=list(add), remove_users=list(remove))
        return read(Group, await self._connection.request("PATCH", path_of("groups", group_id), json=body))

    async def delete(self, group_id: str) -> None:
        """Forget a group. Its members see no more of what was shared with it."""
        await self._connection.request("DELETE", path_of("groups", group_id))


async def _pages(
    connection: Connection, path: str, kind: type[Answered], params: Mapping[str, Any] | None = None
) -> AsyncGenerator[Answered]:
    offset = 0
    while True:
        page = {**(params or {}), "limit": _PAGE, "offset": offset}
        found = read_all(kind, await connection.request("GET", path, params=page))
        for one in found:
            yield one
        if len(found) < _PAGE:
            return
        offset += _PAGE


def _path(organization: str) -> str:
    return path_of("organizations", organization)


def _member(organization: str, user: str) -> str:
    return path_of("organizations", organization, "members", user)
