"""The processes of a whole Perdure, and a second API with settings of its own."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from cli.stack import Stack, StackOptions
from cli.stack.programs import api
from runtime.secrets import new_master_key
from tests.durable.rows import until

LOOPBACK = "127.0.0.1"

IDLE_SECONDS = 1.0
SHORT_RUNS = {"PERDURE_IDLE_SECONDS": str(IDLE_SECONDS), "PERDURE_EVENTS_PER_RUN": "60"}
"""Settings of an API whose chats have runs that end soon and continue as new often."""


def whole_perdure(data_dir: Path, model_url: str) -> StackOptions:
    """All processes but the model, on free ports, with a sweeper that does not let a test wait."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC", "OPENAI"))}
    return StackOptions(
        data_dir=data_dir,
        ports=dict.fromkeys(
            ("postgres", "valkey", "temporal", "temporal-ui", "temporal-http", "api", "worker-metrics"), 0
        ),
        parts=("postgres", "valkey", "temporal", "migrate", "worker", "api"),
        environment={
            **kept,
            "PERDURE_DEMO_MODEL_URL": model_url,
            "PERDURE_MASTER_KEYS": new_master_key(),
            "PERDURE_SWEEP_INTERVAL_SECONDS": "1",
            # longer than a command waits for a worker: what a door still waits for is not lost
            "PERDURE_SWEEP_AGE_SECONDS": "6",
            # calls that no script foresees would disturb the scripted model: who wants them turns them on
            "PERDURE_TITLES": "false",
            "PERDURE_TURN_LABELS": "false",
            "PERDURE_GRACEFUL_SHUTDOWN_SECONDS": "3",
            "PERDURE_LOG_LEVEL": "info",
            # one token asks for everybody here
            "PERDURE_RATE_LIMIT_PER_MINUTE": "0",
        },
    )


@asynccontextmanager
async def another_api(stack: Stack, **settings: str) -> AsyncGenerator[str]:
    """A further API process on the same servers, for chats whose workflows are to live differently.

    Args:
        stack: Where the servers are.
        settings: Environment variables that differ.

    Yields:
        Its address.
    """
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
    environment = {**stack.environment, **settings, "PERDURE_API_PORT": str(port)}
    part = api(environment, LOOPBACK, port)
    ready = part.ready
    assert ready is not None
    with (stack.directory.path / "logs" / f"api-{port}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *part.command.argv, env=environment, stdout=log, stderr=log
        )
    try:

        async def answers() -> list[bool]:
            assert process.returncode is None, "the second API has ended, see its log"
            return [True] if await ready() else []

        await until(answers, part.ready_seconds)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


class ToolWorker:
    """The worker of `tests.durable.side_effects`, as a process that a test kills and starts. `settings` are
    environment variables that differ from those of the stack."""

    def __init__(self, stack: Stack, effects: Path, name: str = "tool-worker", **settings: str) -> None:
        self._environment = {
            **stack.environment,
            **settings,
            "PERDURE_TEST_EFFECTS": str(effects),
            "PERDURE_GRACEFUL_SHUTDOWN_SECONDS": "1",
            "PERDURE_WORKER_METRICS_PORT": "0",
        }
        self.effects = effects
        self._log = stack.directory.path / "logs" / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "tests.durable.side_effects",
                env=self._environment, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def died(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is not None and self._process.returncode is not None

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and not self.died:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def stop(self) -> None:
        """SIGTERM, and wait until it has ended by itself."""
        assert self._process is not None
        self._process.terminate()
        await self._process.wait()
        self._process = None
