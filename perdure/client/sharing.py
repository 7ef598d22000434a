"""Whom a chat or a model is shared with."""

from collections.abc import Iterable

from perdure.client.connection import Connection
from perdure.client.organizations import Group, GroupMember
from perdure.client.reading import read
from perdure.client.shapes import Shape


class Reader(GroupMember):
    """A user who may read it."""

    role: str = "read"


class ReaderGroup(Group):
    """A group whose members may read it."""

    role: str = "read"


class Acl(Shape):
    """All whom it is shared with, beside those who may read it anyway."""

    users: list[Reader] = []
    groups: list[ReaderGroup] = []


async def read_acl(connection: Connection, path: str) -> Acl:
    """Whom the thing at this path is shared with."""
    return read(Acl, await connection.request("GET", f"{path}/acl"))


async def share(
    connection: Connection, path: str, users: Iterable[str], groups: Iterable[str], *, readable: bool
) -> None:
    """Let these read the thing at this path, or no more. Others stay as they are.

    Args:
        users: Ids.
        groups: Ids.

    Raises:
        BadRequest: One of them is not in the organization.
        Forbidden: You may not share it.
    """
    role = "read" if readable else ""
    body = {"user_roles": dict.fromkeys(users, role), "group_roles": dict.fromkeys(groups, role)}
    await connection.request("PATCH", f"{path}/acl", json=body)
