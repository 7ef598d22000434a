"""The API over a real port, with an organization and two users of its own."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import uvicorn
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from api.app import create_app, end_streams
from models.permissions import Role, Scope, SiteRole
from models.providers import Preset
from models.store.accounts import Caller, find_caller
from models.store.configuration import read_default_model
from models.store.presets import OfferedModel, ensure_models
from models.store.tables import organizations
from models.store.tokens import NewToken, create_token
from models.store.users import NewUser, create_user
from runtime.settings import Settings

Body = dict[str, Any]


@dataclass
class Person:
    """A user with a token, and a client that carries it."""

    caller: Caller
    token: str
    http: httpx2.AsyncClient


@dataclass
class Served:
    """A running API. `end_streams` and `stop` do what a signal does."""

    url: str
    app: Any
    server: uvicorn.Server
    task: asyncio.Task[None]

    async def stop(self) -> None:
        end_streams(self.app)
        self.server.should_exit = True
        await self.task


@asynccontextmanager
async def served(settings: Settings) -> AsyncGenerator[Served]:
    """The API in this process, on a free port."""
    app = create_app(settings)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="websockets-sansio", lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    running = Served(f"http://127.0.0.1:{listener.getsockname()[1]}", app, server, task)
    async with client(running.url) as http:
        await http.get(
            f"{running.url}/healthz"
        )  # the listener is open already; this waits for the application
    try:
        yield running
    finally:
        if not task.done():
            await running.stop()


async def make_organization(engine: AsyncEngine) -> tuple[UUID, UUID]:
    """A new organization and its default model."""
    organization = uuid4()
    async with engine.begin() as conn:
        await conn.execute(insert(organizations).values(id=organization, name=str(organization)))
    await ensure_models(engine, organization, [OfferedModel(Preset.DEMO, "perdure-demo", "Demo", 1000)])
    model = await read_default_model(engine, organization)
    assert model is not None
    return organization, model.id


async def make_token(
    engine: AsyncEngine, user_id: UUID, *scopes: Scope, expires_at: datetime | None = None
) -> str:
    """A new token; without scopes, one for everything."""
    granted = frozenset(scopes or [Scope.ALL])
    _, token = await create_token(engine, NewToken(user_id, "test", granted, expires_at))
    return token


@asynccontextmanager
async def person(
    engine: AsyncEngine,
    url: str,
    organization: UUID,
    name: str,
    *,
    role: Role = Role.MEMBER,
    site_role: SiteRole = SiteRole.NONE,
) -> AsyncGenerator[Person]:
    """A new member of an organization."""
    new = NewUser(f"{name}-{uuid4().hex[:8]}", name, memberships=((organization, role),), site_role=site_role)
    token = await make_token(engine, (await create_user(engine, new)).id)
    found = await find_caller(engine, token)
    assert found is not None
    async with client(url, token) as http:
        yield Person(found[0], token, http)


def client(url: str, token: str = "") -> httpx2.AsyncClient:
    """A client that carries a token, or none. It has patience: the machine may be busy with other things."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.AsyncClient(base_url=f"{url}/api/v2", headers=headers, timeout=20)


def text(words: str) -> list[Body]:
    return [{"type": "text", "text": words}]
