"""The application: its parts, made when it starts and closed when it ends, and its routes."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import cast

import structlog
from fastapi import FastAPI
from starlette.middleware import Middleware

from api.actions.router import router as actions_router
from api.auth.callers import CallerCache
from api.auth.principals import TOKEN_SCHEMES
from api.body_limit import BodyLimit
from api.chats.router import router as chats_router
from api.control.router import router as control_router
from api.errors import install_error_handlers
from api.health.router import router as health_router
from api.messages.router import router as messages_router
from api.middleware import RequestContext
from api.openapi import describe_truthfully
from api.preferences.router import router as preferences_router
from api.queue.router import router as queue_router
from api.services import Services
from api.streaming.hub import StreamHub
from api.streaming.router import router as streams_router
from api.streaming.tail import Tail
from api.sweeper import Sweeper
from api.temporal_gateway import TemporalGateway
from api.users.router import router as users_router
from runtime.database import open_engine
from runtime.redis import open_redis
from runtime.settings import Settings
from runtime.temporal import connect_temporal

MAX_BODY_BYTES = 256 * 1024

log = structlog.get_logger("api")


def create_app(settings: Settings) -> FastAPI:
    """The API with these settings. Connects when it is started, and starts while everything is away."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with _running_services(settings) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="Perdure",
        version=_version(),
        description="Agent chats that do not die: durable, resumable, streamed.",
        lifespan=lifespan,
        middleware=[Middleware(RequestContext), Middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)],
    )
    install_error_handlers(app)
    app.include_router(health_router)
    for router in (
        chats_router,
        messages_router,
        queue_router,
        control_router,
        actions_router,
        streams_router,
        users_router,
        preferences_router,
    ):
        app.include_router(router, prefix="/api/v2", dependencies=TOKEN_SCHEMES)
        app.include_router(router, prefix="/api/experimental", include_in_schema=False)
    describe_truthfully(app)
    return app


def end_streams(app: FastAPI) -> None:
    """Tell all readers to go; without this an open stream would hold up a graceful shutdown."""
    services = cast("Services | None", getattr(app.state, "services", None))
    if services is not None:
        services.streams.close()


@contextlib.asynccontextmanager
async def _running_services(settings: Settings) -> AsyncGenerator[Services]:
    engine = open_engine(settings.database_url, settings.database_pool_size)
    redis = open_redis(settings.redis_url)
    gateway = TemporalGateway(
        await connect_temporal(lazy=True),
        task_queue=settings.task_queue,
        command_timeout_seconds=settings.command_timeout_seconds,
        idle_seconds=settings.idle_seconds,
        events_per_run=settings.events_per_run,
        action_seconds=settings.action_timeout_seconds,
    )
    hub = StreamHub(
        engine, Tail(settings.redis_url, redis), poll_interval_seconds=settings.poll_interval_seconds
    )
    sweeper = Sweeper(
        engine,
        gateway,
        interval_seconds=settings.sweep_interval_seconds,
        age_seconds=settings.sweep_age_seconds,
    )
    tasks = [asyncio.create_task(_for_ever(hub.run)), asyncio.create_task(_for_ever(sweeper.run))]
    try:
        yield Services(engine, redis, gateway, hub, CallerCache(engine))
    finally:
        hub.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await redis.aclose()
        await engine.dispose()


async def _for_ever(run: Callable[[], Awaitable[None]]) -> None:
    """Run a background task again should it fail for a reason nobody foresaw."""
    while True:
        try:
            await run()
        except Exception as error:
            log.exception("background task failed, starting it again", error=type(error).__name__)
        await asyncio.sleep(1.0)


def _version() -> str:
    try:
        return version("perdure")
    except PackageNotFoundError:  # run from a checkout
        return "0"
