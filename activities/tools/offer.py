"""What one chat may call, and what is to be done about the calls of a step (spec chat-loop.md 1.9 - 1.11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import JsonValue

from activities.providers.protocol import ToolSpec
from activities.tools.outcome import ToolOutcome, failed
from activities.tools.prepared import PreparedCall
from activities.tools.registry import ToolRegistry
from models.chat_state import Approval, ToolCallRef
from models.chat_tools import ChatTools, DynamicTool

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools of the deployment as one chat has them, and beside them those of its client."""

    registry: ToolRegistry
    chat: ChatTools

    def specs(self) -> list[ToolSpec]:
        """What the model is offered, by name: the same request again finds it in the provider's cache."""
        own = [spec for spec in self.registry.specs() if self._active(spec.name)]
        theirs = [ToolSpec(tool.name, tool.description, _schema(tool)) for tool in self._dynamic().values()]
        for tool in self.chat.dynamic:
            if self._hidden_by_own(tool):
                log.warning("a client's tool has the name of a built-in one and is left out", tool=tool.name)
        return sorted([*own, *theirs], key=lambda spec: spec.name)

    def plan(self, calls: Sequence[ToolCallRef]) -> list[ToolCallRef]:
        """The calls of a step with what the loop must know of each: who runs it, and after whose consent."""
        if self._offender([call.name for call in calls]) is not None:
            return list(calls)  # none will run: each gets the refusal as its result
        return [self._planned(call) for call in calls]

    def prepare(self, name: str, raw_args: JsonValue, siblings: Sequence[str]) -> PreparedCall | ToolOutcome:
        """Make a call ready, or say why it is not run.

        Args:
            siblings: names of all calls of the step, this one included.
        """
        offender = self._offender(siblings)
        if offender is not None:
            if self._exclusive(name):
                return failed(
                    f"{name} must be called alone, and was called beside others. Nothing was run."
                    f" Call it again as the only tool call."
                )
            return failed(f"Skipped: {offender} was called in the same step and must run alone. Call again.")
        if self.registry.find(name) is not None and not self._active(name):
            return failed(f"The tool {name} is not active in this turn.")
        return self.registry.prepare(name, raw_args)

    def _planned(self, call: ToolCallRef) -> ToolCallRef:
        listed = call.name in self.chat.approval_required
        if call.name in self._dynamic():
            return call.model_copy(update={"client": True, "approval": _approval(needed=listed)})
        tool = self.registry.find(call.name)
        if tool is None or not self._active(call.name):
            return call
        return call.model_copy(
            update={
                "approval": _approval(needed=listed or tool.needs_approval),
                "stop_after": tool.stop_after,
                "timeout_seconds": tool.timeout_seconds,
            }
        )

    def _offender(self, names: Sequence[str]) -> str | None:
        """The first tool that must run alone and does not."""
        if len(names) < 2:
            return None
        return next((name for name in names if self._exclusive(name)), None)

    def _exclusive(self, name: str) -> bool:
        tool = self.registry.find(name)
        return tool is not None and tool.exclusive and self._active(name)

    def _active(self, name: str) -> bool:
        return self.chat.active is None or name in self.chat.active

    def _dynamic(self) -> dict[str, DynamicTool]:
        """The client's tools. One that is called like a built-in tool gives way, unless that is inactive."""
        return {tool.name: tool for tool in self.chat.dynamic if not self._hidden_by_own(tool)}

    def _hidden_by_own(self, tool: DynamicTool) -> bool:
        return self.registry.find(tool.name) is not None and self._active(tool.name)


def _approval(*, needed: bool) -> Approval:
    return Approval.PENDING if needed else Approval.NOT_NEEDED


def _schema(tool: DynamicTool) -> dict[str, Any]:
    """An object's schema, whatever was left out; `required` only where something is."""
    empty: dict[str, Any] = {"type": "object", "properties": {}}
    schema = {**empty, **tool.input_schema}
    if not schema.get("required"):
        schema.pop("required", None)
    return schema
