"""One tool call: run once where that matters, its result kept and shown at once.

The ledger decides (`models.store.tool_results`). A tool that is safe to repeat is simply run again after a
crash. Any other is claimed before it runs; who finds a claim without a result knows that an attempt died
inside, asks the tool what became of it, and never begins anew.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities import metrics
from activities.heartbeat import beating
from activities.live import LiveView
from activities.passing import passes
from activities.shielding import to_the_end
from activities.stops import StopListener, Stopped, unless_stopped
from activities.tool_files import ToolFiles
from activities.tools.offer import Offer
from activities.tools.outcome import ToolOutcome, failed, truncated
from activities.tools.prepared import PreparedCall
from activities.tools.registry import ToolRegistry
from activities.tools.tool import ToolContext
from models.parts import ToolResultPart, dump_part
from models.store import tool_results
from models.store.tool_results import CallRecord, StepResults
from models.stream import EPISODE_MAX_BYTES, Preview, PreviewPart
from models.tool_output import budget_bytes
from models.turns import ToolEnd, ToolRun
from runtime.blobs import BlobsUnavailable

log = structlog.get_logger(__name__)

_DATABASE_PAUSE_SECONDS = 0.25

_NOT_STORED = (
    "The tool has run, but its result cannot be stored, for example because it is nested too deeply, or"
    " because there is no room for the files with it."
)

StoredPart = dict[str, Any]


@dataclass(frozen=True)
class ToolCalls:
    engine: AsyncEngine
    live: LiveView
    stops: StopListener
    tools: ToolRegistry
    files: ToolFiles

    @activity.defn
    async def run_tool(self, run: ToolRun) -> ToolEnd:
        async with beating(), self.stops.watch(run.chat_id, run.turn) as stop:
            call = await tool_results.read_call(self.engine, run)
            if call is None:
                return ToolEnd.SUPERSEDED
            if call.status in ("finished", "unknown"):
                self._show(run, await tool_results.read_results(self.engine, run))
                return ToolEnd.FINISHED
            offer = Offer(self.tools, call.tools)
            ready = offer.prepare(run.call.name, call.arguments, call.siblings)
            context = ToolContext(run.chat_id, f"{run.turn}.{run.step}.{run.call.id}")
            try:
                if not call.running:
                    raise Stopped
                outcome = await unless_stopped(self._outcome(run, call, ready, context), stop)
            except Stopped:
                began = call.running or call.status == "claimed"
                if began and isinstance(ready, PreparedCall):
                    await to_the_end(ready.cancel(context))
                return ToolEnd.STOPPED
            await to_the_end(self._keep(run, call, outcome))
            return ToolEnd.FINISHED

    async def _outcome(
        self, run: ToolRun, call: CallRecord, ready: PreparedCall | ToolOutcome, context: ToolContext
    ) -> ToolOutcome:
        if isinstance(ready, ToolOutcome):
            return ready
        if ready.tool.repeatable:
            return await ready.run(context)
        digest = _digest(call.arguments)
        info = activity.info()
        attempt = f"{info.workflow_run_id}/{info.activity_id}/{info.attempt}"
        if await tool_results.claim(self.engine, run, claimed_by=attempt, input_hash=digest):
            return await ready.run(context)
        if call.input_hash not in (None, digest):
            return failed(f"The call {run.call.id} has begun with other arguments. Call the tool again.")
        metrics.RECOVERIES.labels(call.provider, call.model).inc()
        log.warning("a lost tool call is looked for", chat_id=str(run.chat_id), tool=run.call.name)
        return await ready.recover(context)

    async def _keep(self, run: ToolRun, call: CallRecord, outcome: ToolOutcome) -> None:
        """Cut the result to size, store it, and show it."""
        labels = (call.provider, call.model, run.call.name if self.tools.find(run.call.name) else "unknown")
        metrics.TOOL_RESULT_SIZE.labels(*labels).observe(len(outcome.text().encode()))
        if outcome.is_error:
            metrics.TOOL_ERRORS.labels(*labels).inc()
        cut = truncated(outcome, budget_bytes(call.context_limit))
        if cut is not None:
            metrics.TOOL_RESULT_TRUNCATED.labels(*labels).inc()
        self._show(run, await self._record(run, cut or outcome))

    async def _record(self, run: ToolRun, outcome: ToolOutcome) -> StepResults | None:
        """Store the result, or that it cannot be stored: the tool must not run again for it."""
        try:
            return await self._store(run, outcome, await self.files.store(run.chat_id, outcome.files))
        except (SQLAlchemyError, ValueError, TypeError, BlobsUnavailable) as error:
            log.error("a tool result cannot be stored", error=type(error).__name__, tool=run.call.name)
        return await self._store(run, replace(failed(_NOT_STORED), unknown=outcome.unknown))

    async def _store(
        self, run: ToolRun, outcome: ToolOutcome, files: Sequence[StoredPart] = ()
    ) -> StepResults | None:
        """Store the result however long the database is away."""
        part = dump_part(
            ToolResultPart(
                tool_call_id=run.call.id,
                tool_name=run.call.name,
                result=outcome.result,
                is_error=outcome.is_error or None,
                is_media=outcome.is_media or None,
                created_at=datetime.now(UTC),
            )
        )
        while True:
            try:
                return await tool_results.record_result(
                    self.engine, run, part, files=files, unknown=outcome.unknown
                )
            except Exception as error:
                if not passes(error):
                    raise
                log.warning("a tool result waits for the database", error=type(error).__name__)
            await asyncio.sleep(_DATABASE_PAUSE_SECONDS)

    def _show(self, run: ToolRun, results: StepResults | None) -> None:
        """Publish all results of the step so far, under their places. Readers take what they do not have:
        the first to be published may not be the first that came, and one may have been lost."""
        if results is not None:
            self.live.show(run.chat_id, Preview(results.episode, tuple(_previewed(results.parts))))


def _previewed(parts: list[dict[str, Any]]) -> Iterator[PreviewPart]:
    """The parts under their places, as many as an episode may hold. A file is part of the answer."""
    room = EPISODE_MAX_BYTES
    for place, part in enumerate(parts, 1):
        room -= len(json.dumps(part))
        if room < 0:
            return
        yield PreviewPart(place, "assistant" if part["type"] == "file" else "tool", part)


def _digest(arguments: Any) -> str:
    return hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()
