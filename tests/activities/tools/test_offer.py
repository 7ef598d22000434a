"""What a chat may call, and who is asked first."""

from typing import Any

import pytest
from pydantic import BaseModel, JsonValue

from activities.tools.offer import Offer
from activities.tools.outcome import ToolOutcome
from activities.tools.prepared import PreparedCall
from activities.tools.registry import ToolRegistry
from activities.tools.tool import Tool, ToolContext
from models.chat_state import Approval, Awaited, ToolCallRef
from models.chat_tools import ChatTools, DynamicTool


class Nothing(BaseModel):
    pass


async def run(arguments: Nothing, context: ToolContext) -> JsonValue:
    return None


REGISTRY = ToolRegistry(
    [
        Tool("write", "Write.", Nothing, run, repeatable=False, timeout_seconds=7),
        Tool("delete", "Delete.", Nothing, run, repeatable=False, needs_approval=True),
        Tool("advise", "Advise.", Nothing, run, repeatable=True, exclusive=True),
        Tool("propose", "Propose.", Nothing, run, repeatable=True, stop_after=True),
    ]
)
THEIRS = DynamicTool(name="browse", description="Theirs.", input_schema={"required": []})


def offer(**chat: Any) -> Offer:
    return Offer(REGISTRY, ChatTools(**chat))


def calls(*names: str) -> list[ToolCallRef]:
    return [ToolCallRef(id=f"{number}", name=name) for number, name in enumerate(names)]


def test_ours_and_theirs_are_offered_by_name():
    specs = offer(dynamic=(THEIRS,)).specs()
    assert [spec.name for spec in specs] == ["advise", "browse", "delete", "propose", "write"]
    assert specs[1].schema == {"type": "object", "properties": {}}


def test_a_name_that_ours_has_is_ours_unless_ours_is_inactive():
    clash = DynamicTool(name="write", description="Theirs.", input_schema={})
    (plain,) = offer(dynamic=(clash,)).plan(calls("write"))
    assert not plain.client
    hidden = offer(dynamic=(clash,), active=("delete",))
    (theirs,) = hidden.plan(calls("write"))
    assert theirs.client
    assert [spec.description for spec in hidden.specs()] == ["Delete.", "Theirs."]


def test_the_loop_is_told_what_it_must_know_of_each_call():
    planned = offer(dynamic=(THEIRS,), approval_required=("write",)).plan(
        calls("write", "delete", "propose", "browse", "nobody")
    )
    write, delete, propose, browse, nobody = planned
    assert (write.approval, write.timeout_seconds) == (Approval.PENDING, 7)
    assert delete.approval is Approval.PENDING
    assert propose.stop_after
    assert browse.awaits is Awaited.RESULT
    assert nobody == ToolCallRef(id="4", name="nobody")
    assert [call.runnable for call in planned] == [False, False, True, False, True]


def test_a_client_s_tool_may_need_approval_too():
    (browse,) = offer(dynamic=(THEIRS,), approval_required=("browse",)).plan(calls("browse"))
    assert (browse.client, browse.awaits) == (True, Awaited.APPROVAL)


def test_an_exclusive_call_alone_runs():
    ready = offer().prepare("advise", {}, ["advise"])
    assert isinstance(ready, PreparedCall)


@pytest.mark.parametrize("names", [("write", "advise", "browse"), ("advise", "advise")])
def test_beside_an_exclusive_call_nothing_runs_and_nobody_is_asked(names: tuple[str, ...]):
    ours = offer(dynamic=(THEIRS,), approval_required=("write",))
    assert ours.plan(calls(*names)) == calls(*names)
    for name in names:
        refusal = ours.prepare(name, {}, names)
        assert isinstance(refusal, ToolOutcome)
        assert refusal.is_error
        told = "advise must be called alone" if name == "advise" else "Skipped: advise was called"
        assert str(refusal.result).startswith(told)


def test_what_is_not_active_is_neither_offered_nor_run():
    some = offer(active=("write",))
    assert [spec.name for spec in some.specs()] == ["write"]
    refusal = some.prepare("propose", {}, ["propose"])
    assert isinstance(refusal, ToolOutcome)
    assert refusal.result == "The tool propose is not active in this turn."
    (planned,) = some.plan(calls("delete"))
    assert planned.runnable, "it is refused without asking anybody"
