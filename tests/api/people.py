"""Everybody who may stand at the door, and what a token of theirs can look like."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from models.permissions import Role, SiteRole
from models.store.accounts import hash_secret
from models.store.tables import api_tokens, chat_user_readers, memberships, users
from tests.api.door import Door
from tests.api.served import Person, client, make_organization, make_token, person

NOBODIES = ("nobody", "expired", "revoked", "suspended")
"""Callers without a valid token."""


@dataclass
class People:
    """Clients by what their callers are to the chats of one owner. `reader` is whom they are shared with."""

    by_name: dict[str, Person]
    invalid: dict[str, httpx2.AsyncClient]

    def http(self, name: str) -> httpx2.AsyncClient:
        return self.invalid[name] if name in self.invalid else self.by_name[name].http

    def id(self, name: str) -> UUID:
        return self.by_name[name].caller.user_id


@asynccontextmanager
async def everybody(door: Door) -> AsyncGenerator[People]:
    """One of each kind."""
    engine, url = door.engine, door.served.url
    elsewhere, _ = await make_organization(engine)
    async with AsyncExitStack() as stack:

        async def enter(name: str, organization: UUID = door.organization, **what: object) -> Person:
            return await stack.enter_async_context(person(engine, url, organization, name, **what))  # pyright: ignore[reportArgumentType]

        by_name = {
            "owner": door.owner,
            "org-owner": await enter("org-owner", role=Role.OWNER),
            "org-admin": await enter("org-admin", role=Role.ADMIN),
            "auditor": await enter("auditor", role=Role.AUDITOR),
            "member": door.other,
            "reader": await enter("reader"),
            "site-owner": await enter("site-owner", elsewhere, site_role=SiteRole.OWNER),
            "other-tenant": await enter("other-tenant", elsewhere, role=Role.OWNER),
            "left": await enter("left"),
        }
        await _leave(engine, by_name["left"].caller.user_id)
        tokens = {"nobody": "", "expired": "", "revoked": "", "suspended": ""}
        owner = door.owner.caller.user_id
        tokens["expired"] = await make_token(
            engine, owner, expires_at=datetime.now(UTC) - timedelta(seconds=1)
        )
        tokens["revoked"] = await _revoked(engine, owner)
        gone = await enter("gone")
        async with engine.begin() as conn:
            await conn.execute(
                update(users).where(users.c.id == gone.caller.user_id).values(status="suspended")
            )
        tokens["suspended"] = gone.token
        invalid = {
            name: await stack.enter_async_context(client(url, token)) for name, token in tokens.items()
        }
        yield People(by_name, invalid)


async def share(engine: AsyncEngine, chat: str | UUID, user: UUID) -> None:
    """Let a user read a chat."""
    async with engine.begin() as conn:
        await conn.execute(insert(chat_user_readers).values(chat_id=UUID(str(chat)), user_id=user))


async def _leave(engine: AsyncEngine, user: UUID) -> None:
    async with engine.begin() as conn:
        await conn.execute(delete(memberships).where(memberships.c.user_id == user))


async def _revoked(engine: AsyncEngine, user: UUID) -> str:
    token = await make_token(engine, user)
    async with engine.begin() as conn:
        await conn.execute(delete(api_tokens).where(api_tokens.c.secret_hash == hash_secret(token)))
    return token
