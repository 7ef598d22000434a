"""Many chats at once on real servers that come and go, each judged when its life is over.

A chat lives in a lane; when it has been judged, the lane begins the next one. Chats are judged in calm, with
everything up, but among others that go on. The first contradiction ends the run: all chats then come to rest
and are judged as well.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from activities.providers.demo import DemoModel
from cli.stack import Stack, StackOptions
from runtime.database import driver_url
from tests.activities.providers.request_rules.checked import broken_rules
from tests.durable.caller import Caller
from tests.durable.processes import ToolWorker, whole_perdure
from tests.durable.rows import Rows
from tests.durable.side_effects import Effects
from tests.soak.chaos import Chaos
from tests.soak.evidence import Places
from tests.soak.journal import Journal
from tests.soak.life import Life
from tests.soak.logs import judge_logs
from tests.soak.motion import judge_motion
from tests.soak.plan import chat_plan
from tests.soak.report import Report

_PROGRESS_SECONDS = 10.0
_SETTINGS = {
    # runs of a workflow end soon and continue as new often
    "PERDURE_IDLE_SECONDS": "3",
    "PERDURE_EVENTS_PER_RUN": "150",
    # longer than the stalls that are released, and than a frozen part is away
    "PERDURE_FIRST_PART_TIMEOUT_SECONDS": "5",
    "PERDURE_SILENCE_TIMEOUT_SECONDS": "5",
}

Say = Callable[[str], None]


@dataclass
class Soak:
    """A run.

    Args:
        seconds: how long new actions are begun; coming to rest takes its time after that.
        lanes: how many chats live at the same time.
        data_dir: where the servers keep their data and logs.
        say: is told how it goes.
    """

    seed: int
    seconds: float
    data_dir: Path
    say: Say
    lanes: int = 7
    report: Report = field(init=False)
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _places: Places = field(init=False)
    _judged: set[int] = field(default_factory=set[int])

    @property
    def _deeds(self) -> Path:
        return self.data_dir / "deeds"

    def __post_init__(self) -> None:
        self.report = Report(self.seed, self.seconds)

    async def run(self) -> Report:
        """Soak."""
        async with DemoModel() as model, Stack(self._options(model), self._mind_deaths) as stack:
            workers = await self._start_workers(stack)
            engine = create_async_engine(driver_url(stack.database_url), poolclass=NullPool)
            rows = Rows(engine)
            token = stack.token
            assert token is not None
            self._places = Places(stack.addresses.workspaces, Effects(self._deeds))
            async with Caller(stack.api_url, token, rows) as caller:
                await self._live(stack, workers, model, caller)
            self.report.add("motion", await judge_motion(stack, rows, self.report.counts))
            await engine.dispose()
            self.report.add("logs", judge_logs(stack.directory.path / "logs"))
            for name, worker in workers.items():
                self._mind_deaths(name, "ended" if worker.died else "runs")
                await worker.kill()
        return self.report

    async def _start_workers(self, stack: Stack) -> dict[str, ToolWorker]:
        """Two, with tools whose deeds can be counted, in place of the stack's own."""
        await stack.stop("worker")
        self._deeds.mkdir()
        workers = {name: ToolWorker(stack, self._deeds, name) for name in ("worker", "other-worker")}
        for worker in workers.values():
            await worker.start()
        return workers

    async def _live(
        self, stack: Stack, workers: dict[str, ToolWorker], model: DemoModel, caller: Caller
    ) -> None:
        organization = str((await caller.rows.first_user()).organization_id)
        chaos = Chaos(stack, workers, self.seed, self.report.counts, self.report.chaos.append)
        disturbing = asyncio.create_task(chaos.run(self._over))
        minding = asyncio.create_task(self._mind_model(model))
        telling = asyncio.create_task(self._tell_progress())
        timer = asyncio.get_running_loop().call_later(self.seconds, self._over.set)
        try:
            async with asyncio.TaskGroup() as lanes:
                for lane in range(self.lanes):
                    lanes.create_task(self._lane(lane, organization, chaos, model, caller))
        finally:
            self._over.set()
            timer.cancel()
            minding.cancel()
            telling.cancel()
            await asyncio.gather(minding, telling, return_exceptions=True)
            await disturbing
        self._judge_requests(model)

    async def _lane(
        self, lane: int, organization: str, chaos: Chaos, model: DemoModel, caller: Caller
    ) -> None:
        for number in count(1):
            plan = chat_plan(self.seed, lane, number)
            journal = Journal(plan.name, self.report.counts)
            found = await Life(plan, caller, model, journal, self._places).go(organization, chaos, self._over)
            self.report.add(f"{plan.name} ({journal.chat})", found, journal.lines)
            if found:
                self._over.set()
            if self._over.is_set():
                return

    async def _mind_model(self, model: DemoModel) -> None:
        """The model keeps its newest requests only: look at them now and then."""
        while True:
            await asyncio.sleep(1.0)
            self._judge_requests(model)

    def _judge_requests(self, model: DemoModel) -> None:
        """Every prompt of ours was one that the provider takes."""
        for request in model.requests:
            if request.index in self._judged or request.outcome == "open":
                continue
            self._judged.add(request.index)
            self.report.counts[f"model requests {request.outcome}"] += 1
            wrongs = [
                *broken_rules(request.path, request.body),
                *(["answered 400"] if request.outcome == "rejected" else []),
            ]
            if wrongs:
                found = [f"transcripts are valid: {wrong}" for wrong in wrongs]
                self.report.add(f"model request {request.index}", found, [request.raw_body.decode()])
                self._over.set()

    def _mind_deaths(self, part: str, what: str) -> None:
        """A part that ends by itself is a fault."""
        if what.startswith("ended"):
            self.report.add(part, [f"parts do not die by themselves: {what}"])
            self._over.set()

    async def _tell_progress(self) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            self.say(f"{time.monotonic() - began:5.0f} s  {self.report.progress()}")

    def _options(self, model: DemoModel) -> StackOptions:
        options = whole_perdure(self.data_dir, model.base_url)
        return replace(options, environment={**options.environment, **_SETTINGS})
