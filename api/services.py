"""What the routes work with. Made once per process by `api.app`, reached through the connection."""

from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from api.auth.callers import CallerCache
from api.streaming.hub import StreamHub
from api.temporal_gateway import TemporalGateway
from api.watching.hub import ListHub
from runtime.configuration import Configuration
from runtime.configuration.availability import Availability
from runtime.configuration.keys import KeyRing
from runtime.hints import HintWriter


@dataclass(frozen=True, slots=True)
class Services:
    engine: AsyncEngine
    redis: Redis
    gateway: TemporalGateway
    streams: StreamHub
    callers: CallerCache
    chat_lists: ListHub
    inboxes: ListHub
    hints: HintWriter
    configuration: Configuration
    keys: KeyRing

    @property
    def availability(self) -> Availability:
        return Availability(self.configuration, self.keys)


def services_of(connection: HTTPConnection) -> Services:
    """The services of the application this request or socket came to."""
    return cast(Services, connection.app.state.services)
