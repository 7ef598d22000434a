"""The worker as a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from typing import Any

import structlog
import uvloop
from prometheus_client import start_http_server

from activities.tools.tool import Tool
from cli.environment import read_settings
from cli.worker import running_worker
from runtime.logging import configure_logging
from runtime.settings import Settings
from runtime.temporal import connect_temporal

log = structlog.get_logger(__name__)


def run(more_tools: Iterable[Tool[Any]] = ()) -> None:
    """Work until SIGTERM or SIGINT; then running steps may end, and what does not is handed over."""
    settings = read_settings()
    configure_logging(settings.log_level, settings.log_format)
    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_work(settings, more_tools))
    except Exception:
        log.exception("worker failed")
        code = 1
    # Temporal's core may abort while the interpreter is torn down (sdk-python issue 300): leave at once.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _work(settings: Settings, more_tools: Iterable[Tool[Any]]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_worker(settings, await connect_temporal(), more_tools):
        if settings.worker_metrics_port:
            start_http_server(settings.worker_metrics_port, settings.worker_metrics_host)
        log.info("worker ready", task_queue=settings.task_queue)
        await stop.wait()
        log.info("worker stopping", grace_seconds=settings.graceful_shutdown_seconds)
