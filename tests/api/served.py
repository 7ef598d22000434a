"""The API over a real port, with an organization and two users of its own."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import uvicorn
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from api.app import create_app, end_streams
from models.providers import Preset
from models.store.accounts import Caller, create_token, create_user
from models.store.configuration import read_default_model
from models.store.presets import OfferedModel, ensure_models
from models.store.tables import organizations
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
    async with httpx2.AsyncClient(base_url=running.url) as http:
        await http.get("/healthz")  # the listener is open already; this waits for the application
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


@asynccontextmanager
async def person(engine: AsyncEngine, url: str, organization: UUID, name: str) -> AsyncGenerator[Person]:
    caller = await create_user(engine, organization, f"{name}-{uuid4().hex[:8]}", name)
    token = await create_token(engine, caller.user_id, "test")
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=f"{url}/api/v2", headers=headers, timeout=20) as http:
        yield Person(caller, token, http)


def text(words: str) -> list[Body]:
    return [{"type": "text", "text": words}]
