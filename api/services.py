"""What the routes work with. Made once per process by `api.app`, reached through the connection."""

import asyncio
from dataclasses import dataclass
from typing import cast

import httpx2
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from api.auth.callers import CallerCache
from api.auth.guard import StreamGuard
from api.auth.rate_limit import RateLimit
from api.files.links import FileLinks
from api.gateway.bodies import BodyRoom
from api.gateway.recording import CallBook
from api.sign_in.provider import OpenIdProvider
from api.streaming.admission import Admission
from api.streaming.hub import StreamHub
from api.streaming.reading_along import ReadMarks
from api.temporal_gateway import TemporalGateway
from api.watching.hub import ListHub
from runtime.blobs import BlobStore
from runtime.configuration import Configuration
from runtime.configuration.availability import Availability
from runtime.configuration.keys import KeyRing
from runtime.hints import HintWriter
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """`uploads` bounds the files that are in memory on their way in. Of the gateway to models: `calls` that
    are recorded, `bodies` on their way, and the client for all `vendors`."""

    settings: Settings
    engine: AsyncEngine
    redis: Redis
    gateway: TemporalGateway
    streams: StreamHub
    admission: Admission
    read_marks: ReadMarks
    callers: CallerCache
    rate_limit: RateLimit
    guard: StreamGuard
    provider: OpenIdProvider | None
    chat_lists: ListHub
    inboxes: ListHub
    hints: HintWriter
    blobs: BlobStore
    links: FileLinks
    uploads: asyncio.Semaphore
    configuration: Configuration
    keys: KeyRing
    calls: CallBook
    bodies: BodyRoom
    vendors: httpx2.AsyncClient

    @property
    def availability(self) -> Availability:
        return Availability(self.configuration, self.keys)


def services_of(connection: HTTPConnection) -> Services:
    """The services of the application this request or socket came to."""
    return cast(Services, connection.app.state.services)
