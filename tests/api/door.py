"""What a test of the API stands before."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.api.served import Body, Person, Served, text


@dataclass
class Door:
    """The API with an owner who uses it, and another user of the same organization."""

    served: Served
    engine: AsyncEngine
    organization: UUID
    model: UUID
    owner: Person
    other: Person

    async def create(self, words: str = "hello there", **more: object) -> Body:
        body = {"organization_id": str(self.organization), "content": text(words), **more}
        response = await self.owner.http.post("/chats", json=body)
        assert response.status_code == 201, response.text
        return response.json()
