"""The application: its parts, made when it starts and closed when it ends, and its routes."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import cast

import structlog
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from api.actions.router import router as actions_router
from api.ai_providers.router import router as providers_router
from api.ai_providers.user_keys import router as provider_keys_router
from api.audit.router import router as audit_router
from api.auth.callers import CallerCache
from api.auth.guard import StreamGuard
from api.auth.principals import TOKEN_SCHEMES
from api.auth.rate_limit import RateLimit
from api.auth.uses import TokenUses
from api.body_limit import BodyLimit
from api.budgets.router import router as budgets_router
from api.chat_models.acl import router as model_acl_router
from api.chat_models.overrides import router as overrides_router
from api.chat_models.router import router as models_router
from api.chats.acl import router as acl_router
from api.chats.router import router as chats_router
from api.chats.segments import router as no_chats_router
from api.control.router import router as control_router
from api.deployment.router import router as deployment_router
from api.errors import install_error_handlers
from api.files.keeper import FileKeeper
from api.files.links import FileLinks
from api.files.router import public_router as signed_files_router
from api.files.router import router as files_router
from api.gate import Gate
from api.gateway.bodies import BodyRoom
from api.gateway.forwarding import open_vendor_client
from api.gateway.listing import router as interceptions_router
from api.gateway.recording import CallBook
from api.gateway.router import router as gateway_router
from api.health.router import router as health_router
from api.inbox.frames import inbox_events
from api.inbox.router import router as inbox_router
from api.messages.router import router as messages_router
from api.middleware import RequestContext
from api.openapi import describe_truthfully
from api.organizations.groups import router as groups_router
from api.organizations.members import router as members_router
from api.organizations.router import router as organizations_router
from api.preferences.router import router as preferences_router
from api.queue.router import router as queue_router
from api.retention import Retention
from api.services import Services
from api.sign_in.provider import OpenIdProvider
from api.sign_in.router import router as sign_in_router
from api.streaming.admission import Admission
from api.streaming.hub import StreamHub
from api.streaming.reading_along import ReadMarks
from api.streaming.router import router as streams_router
from api.streaming.tail import Tail
from api.sweeper import Sweeper
from api.temporal_gateway import TemporalGateway
from api.titles.router import router as titles_router
from api.usage.router import router as usage_router
from api.users.router import router as users_router
from api.users.tokens import router as tokens_router
from api.watching.chats import chat_list_events
from api.watching.hub import ListHub
from api.watching.router import router as watching_router
from models.file_rules import MAX_FILE_BYTES
from models.hints import chat_list_key, inbox_key
from runtime.blobs import open_blobs
from runtime.configuration import Configuration
from runtime.configuration.keys import open_keys
from runtime.database import open_engine
from runtime.hints import HintWriter
from runtime.redis import open_blocking_redis, open_redis
from runtime.settings import Settings
from runtime.temporal import connect_temporal

MAX_BODY_BYTES = 256 * 1024
_MAX_UPLOADS = 32

_VERSIONS = ("/api/v2", "/api/experimental")
_LARGER_BODIES = {f"{version}/chats/files": MAX_FILE_BYTES for version in _VERSIONS}
_GATEWAY = re.compile(rf"({'|'.join(_VERSIONS)})/aibridge/.*")

_SILENCE_SECONDS = 30.0
"""The channel of changes is subscribed anew after this long without one."""

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
        middleware=_middleware(settings),
    )
    install_error_handlers(app)
    app.include_router(health_router)
    app.include_router(signed_files_router, prefix="/api/v2")
    app.include_router(signed_files_router, prefix="/api/experimental", include_in_schema=False)
    for router in (
        # before the chats, or their words were taken for ids
        no_chats_router,
        files_router,
        usage_router,
        watching_router,
        chats_router,
        messages_router,
        queue_router,
        control_router,
        actions_router,
        streams_router,
        acl_router,
        model_acl_router,
        sign_in_router,  # before the users: `authmethods` is no user
        users_router,
        tokens_router,
        organizations_router,
        members_router,
        groups_router,
        budgets_router,
        audit_router,
        preferences_router,
        deployment_router,
        providers_router,
        provider_keys_router,
        models_router,
        overrides_router,
        inbox_router,
        titles_router,
        interceptions_router,
        gateway_router,
    ):
        app.include_router(router, prefix="/api/v2", dependencies=TOKEN_SCHEMES)
        app.include_router(router, prefix="/api/experimental", include_in_schema=False)
    describe_truthfully(app)
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    """Outermost first."""
    cors = [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_credentials="*" not in settings.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Coder-Session-Token",
                "Content-Type",
                "Idempotency-Key",
                "Last-Event-ID",
                "X-Request-Id",
            ],
            expose_headers=[
                "Retry-After",
                "X-RateLimit-Limit",
                "X-RateLimit-Remaining",
                "X-RateLimit-Reset",
                "X-Request-Id",
            ],
        )
    ]
    return [
        Middleware(RequestContext),
        *(cors if settings.allowed_origins else []),
        Middleware(BodyLimit, max_bytes=MAX_BODY_BYTES, larger=_LARGER_BODIES, elsewhere=_GATEWAY),
    ]


def end_streams(app: FastAPI) -> None:
    """Tell all readers to go; without this an open stream would hold up a graceful shutdown."""
    services = cast("Services | None", getattr(app.state, "services", None))
    if services is not None:
        for hub in (services.streams, services.chat_lists, services.inboxes):
            hub.close()


@contextlib.asynccontextmanager
async def _running_services(settings: Settings) -> AsyncGenerator[Services]:
    engine = open_engine(settings.database_url, settings.database_pool_size)
    redis = open_redis(settings.redis_url)
    blobs = open_blobs(settings.blobs_url, engine)
    news = open_blocking_redis(settings.redis_url, block_seconds=_SILENCE_SECONDS)
    configuration = Configuration(engine, redis, news)
    keys = open_keys(settings)
    gateway = TemporalGateway(
        await connect_temporal(lazy=True),
        task_queue=settings.task_queue,
        command_timeout_seconds=settings.command_timeout_seconds,
        idle_seconds=settings.idle_seconds,
        events_per_run=settings.events_per_run,
        action_seconds=settings.action_timeout_seconds,
        titles=settings.titles,
        labels=settings.turn_labels,
    )
    tail = Tail(settings.redis_url, redis)
    # each crowd may hold a part of the pool; some of it is always left for commands
    width = max(1, settings.database_pool_size // 4)
    hub = StreamHub(engine, tail, Gate(width), poll_interval_seconds=settings.poll_interval_seconds)
    doors = Gate(width)
    marks = ReadMarks(engine, doors)
    chat_lists = ListHub(tail, chat_list_key, chat_list_events(engine))
    inboxes = ListHub(tail, inbox_key, inbox_events(engine, labels=settings.turn_labels))
    hints = HintWriter(redis)
    sweeper = Sweeper(
        engine,
        gateway,
        interval_seconds=settings.sweep_interval_seconds,
        age_seconds=settings.sweep_age_seconds,
    )
    retention = Retention(
        engine,
        gateway,
        configuration,
        interval_seconds=settings.retention_interval_seconds,
        receipt_days=settings.receipt_days,
        notification_days=settings.read_notification_days,
    )
    uses = TokenUses(engine)
    keeper = FileKeeper(engine, blobs, unused_days=settings.unused_file_days)
    provider = OpenIdProvider(settings) if settings.oidc_issuer_url else None
    guard = StreamGuard(engine, interval_seconds=settings.access_check_seconds)
    rate_limit = RateLimit(
        redis,
        per_token=settings.rate_limit_per_minute,
        per_address=settings.rate_limit_per_minute_and_address,
    )
    calls = CallBook(engine)
    vendors = open_vendor_client()
    background = (
        hub.run,
        sweeper.run,
        retention.run,
        uses.run,
        keeper.run,
        configuration.run,
        guard.run,
        calls.run,
    )
    tasks = [asyncio.create_task(_for_ever(run)) for run in background]
    try:
        yield Services(
            settings=settings,
            engine=engine,
            redis=redis,
            gateway=gateway,
            streams=hub,
            admission=Admission(engine, doors, marks),
            read_marks=marks,
            callers=CallerCache(engine, uses, Gate(width)),
            rate_limit=rate_limit,
            guard=guard,
            provider=provider,
            chat_lists=chat_lists,
            inboxes=inboxes,
            hints=hints,
            blobs=blobs,
            links=FileLinks(engine),
            uploads=asyncio.Semaphore(_MAX_UPLOADS),
            configuration=configuration,
            keys=keys,
            calls=calls,
            bodies=BodyRoom(),
            vendors=vendors,
        )
    finally:
        for streams in (hub, chat_lists, inboxes):
            streams.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await hints.drain()
        await marks.drain()
        await calls.drain()
        await vendors.aclose()
        if provider is not None:
            await provider.close()
        await news.aclose()
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
