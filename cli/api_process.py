"""The API process."""

import socket
import sys

import uvicorn

from api.app import create_app, end_streams
from cli.environment import read_settings
from runtime.logging import configure_logging

_PING_SECONDS = 15.0
_SHUTDOWN_SECONDS = 10
"""Requests may end by themselves for this long; a command waits less, and streams are told to end."""


class _Server(uvicorn.Server):
    """Ends streams when it is told to stop: uvicorn would wait for their clients to leave."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        end_streams(self.config.app)  # pyright: ignore[reportArgumentType]
        await super().shutdown(sockets)


def run() -> None:
    """Serve the API until SIGTERM or SIGINT."""
    settings = read_settings()
    configure_logging(settings.log_level, settings.log_format)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http="httptools",
        ws="websockets-sansio",
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        ws_max_size=4096,  # clients have nothing to say
        ws_per_message_deflate=False,  # for small frames it costs more memory and time than it saves
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        access_log=False,
        log_config=None,
        server_header=False,
    )
    _Server(config).run()
