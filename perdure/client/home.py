"""Where a user's own things go when nobody says where."""

from perdure.client.connection import Connection
from perdure.client.errors import PerdureError
from perdure.client.reading import read
from perdure.client.shapes import User


class Home:
    """The first organization of the token's user, asked for once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._id: str | None = None

    async def id(self, named: str | None = None) -> str:
        """The organization that was named, else this one.

        Raises:
            PerdureError: The user is in none.
        """
        if named is not None:
            return named
        if self._id is None:
            me = read(User, await self._connection.request("GET", "/users/me"))
            if not me.organization_ids:
                raise PerdureError("You are a member of no organization: name one.")
            self._id = me.organization_ids[0]
        return self._id
