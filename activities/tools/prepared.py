"""A call that can be run: a tool with arguments it accepts. Whatever goes wrong is an outcome."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import BaseModel

from activities.tools.outcome import ToolOutcome, failed, outcome_of
from activities.tools.tool import OutcomeUnknown, Result, Tool, ToolContext, ToolError

_CANCEL_SECONDS = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """One call of a tool, ready to run."""

    tool: Tool[Any]
    arguments: BaseModel

    async def run(self, context: ToolContext) -> ToolOutcome:
        """Run it. Only the cancellation of this task comes out as an exception."""
        return await self._outcome(self.tool.run(self.arguments, context), context)

    async def recover(self, context: ToolContext) -> ToolOutcome:
        """Find out what became of an earlier attempt that nobody heard of again."""
        if self.tool.recover is None:
            return _unknown(
                f"It is not known whether {self.tool.name} did its work: the program that ran it was lost."
                " It was not run again. Check what it may have changed before you call it again."
            )
        return await self._outcome(self.tool.recover(self.arguments, context), context)

    async def cancel(self, context: ToolContext) -> None:
        """End what the call may have going on. Gives up after 10 s."""
        if self.tool.cancel is None:
            return
        try:
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self.tool.cancel(self.arguments, context)
        except Exception as error:
            log.exception("tool cannot be cancelled", tool=self.tool.name, error=type(error).__name__)

    async def _outcome(self, work: Awaitable[Result], context: ToolContext) -> ToolOutcome:
        name = self.tool.name
        limit = asyncio.timeout(self.tool.timeout_seconds)
        try:
            async with limit:
                return outcome_of(await work)
        except ToolError as error:
            return failed(str(error))
        except OutcomeUnknown as error:
            return _unknown(str(error))
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            if isinstance(error, TimeoutError) and limit.expired():
                await self.cancel(context)
                return failed(self._too_long())
            log.warning("tool failed", tool=name, error=type(error).__name__)
            return failed(f"The tool {name} failed: {type(error).__name__}: {error}")

    def _too_long(self) -> str:
        text = f"The tool {self.tool.name} did not finish within {self.tool.timeout_seconds:g} s."
        if self.tool.repeatable:
            return text
        return f"{text} It was stopped, but may have done part of its work: check before you call it again."


def _unknown(text: str) -> ToolOutcome:
    return ToolOutcome(failed(text).result, is_error=True, unknown=True)


def _is_cancelled() -> bool:
    """Whether it is this task that was cancelled, and not something the tool was waiting for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
