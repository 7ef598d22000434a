"""Users and their tokens, for administrators and for oneself."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any

from perdure.client.connection import Connection
from perdure.client.reading import given, path_of, read, read_all
from perdure.client.shapes import Shape, User

_PAGE = 200

ME = "me"
"""The user that the token belongs to."""


class Token(Shape):
    """A token, without its secret. `expires_at` None: it holds until it is revoked."""

    id: str
    user_id: str
    token_name: str
    kind: str = "token"
    scopes: list[str] = []
    created_at: datetime
    expires_at: datetime | None = None
    last_used: datetime | None = None


class NewToken(Token):
    """A token with its secret, which is shown once."""

    key: str


class Users:
    """Finds, makes and changes users. A user is named by id or username; `me` is the caller."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self, *, search: str | None = None, status: str | None = None) -> AsyncGenerator[User]:
        """Users whom the caller may see, by username, read a page at a time.

        Args:
            search: Part of a username, a name or an address.
            status: `active` or `suspended`.
        """
        after_id: str | None = None
        while True:
            params = {"q": search, "status": status, "limit": _PAGE, "after_id": after_id}
            found = read(_UserPage, await self._connection.request("GET", "/users", params=params)).users
            for user in found:
                yield user
            if len(found) < _PAGE:
                return
            after_id = found[-1].id

    async def get(self, user: str = ME) -> User:
        """A user."""
        return read(User, await self._connection.request("GET", path_of("users", user)))

    async def create(
        self,
        username: str,
        *,
        name: str = "",
        email: str | None = None,
        organization_ids: Sequence[str] = (),
        role: str = "member",
    ) -> User:
        """Make a user.

        Args:
            username: What to call them.
            name: The full name.
            email: Whoever the OpenID provider knows by it signs in as this user.
            organization_ids: Where they are a member from the start.
            role: In these: `owner`, `admin`, `member` or `auditor`.

        Raises:
            Forbidden: You do not manage one of the organizations.
            Conflict: The username or the address is taken.
        """
        body = given(
            username=username, name=name, email=email, organization_ids=list(organization_ids), role=role
        )
        return read(User, await self._connection.request("POST", "/users", json=body))

    async def edit(
        self, user: str, *, username: str | None = None, name: str | None = None, email: str | None = None
    ) -> User:
        """Change what is given."""
        return await self._change("PATCH", user, "", given(username=username, name=name, email=email))

    async def suspend(self, user: str) -> User:
        """Let none of a user's tokens hold until the user is activated again."""
        return await self._change("PUT", user, "/status/suspend")

    async def activate(self, user: str) -> User:
        """Let a suspended user in again."""
        return await self._change("PUT", user, "/status/activate")

    async def make_site_owner(self, user: str, *, owner: bool = True) -> User:
        """Make a user an owner of the whole site, or no longer."""
        return await self._change("PUT", user, "/roles", {"roles": ["owner"] if owner else []})

    async def _change(self, method: str, user: str, what: str, body: dict[str, Any] | None = None) -> User:
        path = path_of("users", user) + what
        return read(User, await self._connection.request(method, path, json=body))


class _UserPage(Shape):
    users: list[User]


class Tokens:
    """Tokens of the caller, or of a user whom they manage."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self, *, user: str = ME) -> list[Token]:
        """Tokens that hold, newest first, without their secrets."""
        return read_all(Token, await self._connection.request("GET", _tokens(user)))

    async def create(
        self,
        name: str,
        *,
        user: str = ME,
        scopes: Sequence[str] | None = None,
        lifetime_seconds: int | None = None,
    ) -> NewToken:
        """Make a token. Its `key` is never shown again.

        Args:
            name: What it is for.
            user: Whose.
            scopes: What it is good for; by default everything its user may do.
            lifetime_seconds: By default it holds until it is revoked.

        Raises:
            Forbidden: You do not manage the user, or have not these scopes yourself.
        """
        body = given(token_name=name, scopes=scopes and list(scopes), lifetime_seconds=lifetime_seconds)
        return read(NewToken, await self._connection.request("POST", _tokens(user), json=body))

    async def revoke(self, token_id: str, *, user: str = ME) -> None:
        """Let a token hold no more."""
        await self._connection.request("DELETE", _tokens(user) + path_of(token_id))


def _tokens(user: str) -> str:
    return path_of("users", user, "keys", "tokens")
