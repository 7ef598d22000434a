"""The product as its users have it: a whole stack, and commands as processes."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from cli.stack import Stack, StackOptions
from cli.stack.ports import DEFAULTS
from perdure.client import Perdure as Client
from tests.activities.providers.request_rules.checked import broken_rules

_FOREIGN = ("PERDURE_", "ANTHROPIC_", "OPENAI_")


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its output, as lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def chat_id(self) -> str:
        """The chat it says how to go on with."""
        return self.err.partition("--resume ")[2].split()[0]


class Perdure:
    """The `perdure` command, with the stack it finds by itself."""

    def __init__(self, stack: Stack) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        self._environment = {**inherited, "PERDURE_DATA_DIR": str(stack.directory.path)}

    async def __call__(
        self, *arguments: str, given: str | None = None, environment: Mapping[str, str] | None = None
    ) -> Ended:
        """Run a command to its end."""
        async with self.started(*arguments, environment=environment) as process:
            out, err = await process.communicate(None if given is None else given.encode())
        return Ended(process.returncode or 0, out.decode(), err.decode())

    @asynccontextmanager
    async def started(
        self,
        *arguments: str,
        stdout: int = asyncio.subprocess.PIPE,
        environment: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[asyncio.subprocess.Process]:
        """A running command; what still runs at the end of the block is killed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "cli.main", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            env={**self._environment, "PYTHONPATH": os.getcwd(), **(environment or {})},
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


@pytest.fixture(scope="session")
async def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stack]:
    """Everything, with the demo model, which was sent only what its vendor would take. A test may kill parts,
    and leaves them running."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("whole"), ports=dict.fromkeys(DEFAULTS, 0), environment=environment
    )
    async with Stack(options) as stack:
        yield stack
        async with httpx2.AsyncClient() as http:
            told = await http.get(f"http://127.0.0.1:{stack.ports['demo-model']}/control/requests")
        # none, if this process had only tests that ask no model
        requests: list[dict[str, Any]] = told.json()
        for request in requests:
            broken = broken_rules(request["path"], request["body"])
            assert not broken, (broken, request["body"])


@pytest.fixture
def perdure(whole_stack: Stack) -> Perdure:
    return Perdure(whole_stack)


@pytest.fixture
async def client(whole_stack: Stack) -> AsyncGenerator[Client]:
    assert whole_stack.token
    async with Client(whole_stack.api_url, whole_stack.token) as connected:
        yield connected
