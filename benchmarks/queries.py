"""How many SQL statements a plain turn costs, and how many of them read configuration.

    python -m benchmarks.queries --turns 200 --chats 1 20

API and worker run in this process, so that a listener sees every statement of theirs; the servers are a stack
of their own. A plain turn: one message, one answer of the demo model, no tools. Statements of background work
(sweeper, token uses) are counted along.
"""

import argparse
import asyncio
import os
import re
import socket
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import Engine, event

from activities.providers.demo import script_block
from api.app import create_app, end_streams
from benchmarks.chatting import Chatter
from cli.stack import Stack, StackOptions
from cli.stack.catalog import PORTS
from cli.worker import running_worker
from runtime.settings import Settings
from runtime.temporal import connect_temporal

CONFIGURATION = (
    "ai_provider_keys",
    "ai_providers",
    "compaction_thresholds",
    "deployment_settings",
    "member_model_overrides",
    "model_configs",
    "model_overrides",
    "user_ai_provider_keys",
    "user_prompts",
)
"""Tables of configuration. A statement counts as reading it if it begins with one of them."""

SCRIPT = script_block({"text": "ready", "pieces": 5})

_FIRST_TABLE = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b.*?\b(?:FROM|INTO|UPDATE)\s+(\w+)", re.S)
_UPDATED = re.compile(r"^\s*UPDATE\s+(\w+)")


class Statements:
    """Counts statements by kind: what is done, and the first table it is done to."""

    def __init__(self) -> None:
        self.by_kind: Counter[str] = Counter()
        event.listen(Engine, "before_cursor_execute", self._note)

    def stop(self) -> None:
        event.remove(Engine, "before_cursor_execute", self._note)

    @property
    def of_configuration(self) -> int:
        return sum(count for kind, count in self.by_kind.items() if kind.split()[-1] in CONFIGURATION)

    def _note(self, *arguments: Any) -> None:
        self.by_kind[kind_of(arguments[2])] += 1


def kind_of(statement: str) -> str:
    """`UPDATE chats`, `SELECT messages`, or the first word of what has no table."""
    if updated := _UPDATED.match(statement):
        return f"UPDATE {updated[1]}"
    if found := _FIRST_TABLE.match(statement):
        return f"{found[1]} {found[2]}"
    read = next((table for table in CONFIGURATION if f"FROM {table}" in statement), None)
    return f"SELECT {read}" if read else (statement.split() or ["?"])[0]


@dataclass(frozen=True)
class Place:
    """Where the API of this process is."""

    api_url: str
    token: str | None


@asynccontextmanager
async def perdure_in_this_process(stack: Stack) -> AsyncGenerator[Place]:
    """API and worker on the servers of a stack."""
    os.environ.update({name: value for name, value in stack.environment.items() if _is_ours(name)})
    settings = Settings()
    app = create_app(settings)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, ws="websockets-sansio")
        )
        async with running_worker(settings, await connect_temporal()):
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                yield Place(f"http://127.0.0.1:{port}", stack.token)
            finally:
                end_streams(app)
                server.should_exit = True
                await serving


def _is_ours(name: str) -> bool:
    return name.startswith(("PERDURE_", "TEMPORAL_")) or name in ("DATABASE_URL", "REDIS_URL", "NO_PROXY")


async def measure(place: Place, chats: int, turns: int) -> None:
    """Count the statements of so many turns in so many chats, after one of each to warm up."""
    chatters = [Chatter(place) for _ in range(chats)]
    try:
        await asyncio.gather(*(chatter.open(f"{SCRIPT}\nhello {n}") for n, chatter in enumerate(chatters)))
        statements, began = Statements(), time.perf_counter()

        async def talk(number: int, chatter: Chatter) -> None:
            for turn in range(turns // chats):
                await chatter.turn(f"{SCRIPT}\nchat {number} turn {turn}")

        await asyncio.gather(*(talk(n, chatter) for n, chatter in enumerate(chatters)))
        seconds = time.perf_counter() - began
        statements.stop()
    finally:
        await asyncio.gather(*(chatter.close() for chatter in chatters))
    report(statements, chats, turns // chats * chats, seconds)


def report(statements: Statements, chats: int, turns: int, seconds: float) -> None:
    total = sum(statements.by_kind.values())
    print(f"\n{chats} chat{'s' if chats > 1 else ''} at once, {turns} turns in {seconds:.1f} s")
    print(f"  statements per turn           {total / turns:7.2f}")
    configuration = statements.of_configuration
    print(f"  of these read configuration   {configuration / turns:7.3f}   ({configuration} in all)")
    for kind, count in statements.by_kind.most_common():
        if count / turns >= 0.05:
            print(f"    {kind:<34} {count / turns:7.2f}")


async def main(turns: int, chats: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        ports = {name: 0 for names in PORTS.values() for name in names}
        parts = ("postgres", "valkey", "temporal", "demo-model", "migrate")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "OPENAI", "PERDURE"))}
        options = StackOptions(data_dir=Path(directory), ports=ports, parts=parts, environment=kept)
        async with Stack(options) as stack, perdure_in_this_process(stack) as place:
            for number in chats:
                await measure(place, number, turns)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How many SQL statements a plain turn costs.")
    parser.add_argument("--turns", type=int, default=200, help="turns per measurement (200)")
    parser.add_argument(
        "--chats", type=int, nargs="+", default=[1, 20], help="numbers of chats at once (1 20)"
    )
    arguments = parser.parse_args()
    asyncio.run(main(arguments.turns, arguments.chats))
