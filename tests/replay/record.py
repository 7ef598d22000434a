"""Record the histories that later versions must be able to replay: `make histories`.

Runs every scenario with real servers and a real worker, and keeps what Temporal has recorded of it in
`histories/<version>/`, one file per run. Done once per release: the files of earlier releases stay. Scenarios
that are new are recorded alone: `python -m tests.replay.record <version> <name> ...`.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from temporalio.client import Client, WorkflowHistory

from activities.providers.demo import DemoModel
from cli.stack import Stack
from runtime.database import driver_url
from tests.durable.caller import Caller
from tests.durable.histories import completed, connect, history, runs
from tests.durable.processes import another_api, whole_perdure
from tests.durable.rows import Rows
from tests.replay.scenarios import ASIDES, NAMED, SCENARIOS, SHORT_RUNS, Aside, Scenario, Scene

HISTORIES = Path(__file__).parent / "histories"
VERSION = "0.1.0"
ASIDES_DIRECTORY = "asides"

_IDLE_SECONDS = "3"
_OF_THE_MACHINE = ("identity", "stackTrace", "workerControlTaskQueue", "workerInstanceKey")
"""Fields that name the machine which recorded a history, as sticky queues do. Replay does not read them."""


async def record(directory: Path, names: Sequence[str] = ()) -> None:
    """Run scenarios, or those of these names only, and store their histories."""
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(DemoModel())
        data = stack.enter_context(tempfile.TemporaryDirectory())
        perdure = await stack.enter_async_context(Stack(whole_perdure(Path(data), model.base_url)))
        temporal = await connect(perdure)
        recorded: dict[str, str] = {}
        for scenarios, settings in (
            (SCENARIOS, {"PERDURE_IDLE_SECONDS": _IDLE_SECONDS}),
            (SHORT_RUNS, {"PERDURE_IDLE_SECONDS": _IDLE_SECONDS, "PERDURE_EVENTS_PER_RUN": "25"}),
            (
                NAMED,
                {
                    "PERDURE_IDLE_SECONDS": _IDLE_SECONDS,
                    "PERDURE_TITLES": "true",
                    "PERDURE_TURN_LABELS": "true",
                },
            ),
        ):
            url = await stack.enter_async_context(another_api(perdure, **settings))
            caller = await stack.enter_async_context(_caller(perdure, url))
            wanted = [one for one in scenarios if not names or scenario_name(one) in names]
            recorded |= await _play(wanted, Scene(caller, model, perdure, temporal))
        for name, chat in recorded.items():
            await completed(temporal, chat)
            _store(directory, name, await _histories(temporal, chat))
        await record_asides(directory / ASIDES_DIRECTORY, perdure, temporal, model)


async def record_asides(directory: Path, perdure: Stack, temporal: Client, model: DemoModel) -> None:
    """Have the short workflows beside chats run once each, and store their histories."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(another_api(perdure, PERDURE_IDLE_SECONDS=_IDLE_SECONDS))
        caller = await stack.enter_async_context(_caller(perdure, url))
        for aside, workflow in ASIDES.items():
            await aside(Scene(caller, model, perdure, temporal))
            print(scenario_name(aside), flush=True)  # noqa: T201
            _store(directory, scenario_name(aside), [await _only_run(temporal, workflow.__name__)])


async def _only_run(temporal: Client, workflow: str, seconds: float = 20) -> WorkflowHistory:
    """The history of the one run of this workflow; Temporal's list lags behind."""
    async with asyncio.timeout(seconds):
        while True:
            found = [run async for run in temporal.list_workflows(f"WorkflowType = '{workflow}'")]
            if found:
                (run,) = found
                return await history(temporal, run)
            await asyncio.sleep(0.05)


def _caller(perdure: Stack, url: str) -> Caller:
    assert perdure.token is not None
    engine = create_async_engine(driver_url(perdure.database_url), poolclass=NullPool)
    return Caller(url, perdure.token, Rows(engine))


async def _play(scenarios: Iterable[Scenario], scene: Scene) -> dict[str, str]:
    """Run scenarios; the chat of each, by its name."""
    chats: dict[str, str] = {}
    for scenario in scenarios:
        chat = await scenario(scene)
        await scene.rested(chat)
        name = scenario_name(scenario)
        chats[name] = chat
        print(name, flush=True)  # noqa: T201
    return chats


def scenario_name(scenario: Scenario | Aside) -> str:
    """What the files of a scenario are called."""
    return cast(Any, scenario).__name__.replace("_", "-")


async def _histories(temporal: Client, chat: str) -> list[WorkflowHistory]:
    return [await history(temporal, run) for run in await runs(temporal, chat)]


def _store(directory: Path, name: str, histories: list[WorkflowHistory]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for number, kept in enumerate(histories, 1):
        suffix = f".{number}" if len(histories) > 1 else ""
        readable = json.dumps(_without_machine(kept.to_json_dict()), indent=1)
        (directory / f"{name}{suffix}.json").write_text(readable + "\n")


def _without_machine(value: Any) -> Any:
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        if fields.get("kind") == "TASK_QUEUE_KIND_STICKY":
            return {**fields, "name": "sticky"}
        return {key: _without_machine(item) for key, item in fields.items() if key not in _OF_THE_MACHINE}
    if isinstance(value, list):
        return [_without_machine(item) for item in cast(list[Any], value)]
    return value


if __name__ == "__main__":
    asyncio.run(record(HISTORIES / (sys.argv[1] if len(sys.argv) > 1 else VERSION), sys.argv[2:]))
