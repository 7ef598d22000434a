"""What is counted of tool calls, and of turns that end with one."""

from typing import Any

from prometheus_client import REGISTRY
from pydantic import BaseModel, JsonValue
from temporalio.testing import ActivityEnvironment

from activities.providers.demo import script_block
from activities.tool_call import ToolCalls
from activities.tools.registry import ToolRegistry
from activities.tools.tool import Tool, ToolContext
from activities.transitions import Transitions
from models.chat_state import StateName, ToolCallRef
from models.store import tool_results
from models.turns import ResultsCommit, ToolEnd, ToolRun
from tests.activities.bench import Bench


class Nothing(BaseModel):
    pass


async def propose(arguments: Nothing, context: ToolContext) -> JsonValue:
    return "done"


def counted(name: str, **labels: str) -> float:
    labels = {"provider": "demo", "model": "perdure-demo", **labels}
    return REGISTRY.get_sample_value(f"coderd_chatd_{name}", labels) or 0


async def asked(bench: Bench, *, stop_after: bool) -> tuple[ToolCalls, ToolRun]:
    """A step that asks for one call, and what runs it."""
    tool = Tool("propose", "Propose.", Nothing, propose, repeatable=False, stop_after=stop_after)
    bench.tools = ToolRegistry([tool])
    step: dict[str, Any] = {"text": "look", "tools": [{"name": "propose", "input": {}}]}
    outcome = await bench.call(await bench.begin(script_block(step)))
    (ref,) = outcome.state.open_calls
    return bench.tool_calls, ToolRun(
        chat_id=bench.chat.chat, turn=3, step=2, call=ToolCallRef(**ref.stored())
    )


async def test_a_call_that_is_looked_for_is_a_recovery(bench: Bench):
    means, run = await asked(bench, stop_after=False)
    before = counted("recoveries_total")
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of no arguments
    assert await tool_results.claim(bench.chat.engine, run, claimed_by="lost", input_hash=digest)
    assert await ActivityEnvironment().run(means.run_tool, run) is ToolEnd.FINISHED
    assert counted("recoveries_total") == before + 1


async def test_a_call_that_runs_at_once_is_none_and_a_stop_after_tool_ends_a_turn(bench: Bench):
    means, run = await asked(bench, stop_after=True)
    recoveries = counted("recoveries_total")
    turns = counted("turn_seconds_count", outcome="committed")
    assert await ActivityEnvironment().run(means.run_tool, run) is ToolEnd.FINISHED
    assert counted("turn_seconds_count", outcome="committed") == turns
    commit = ResultsCommit(chat_id=run.chat_id, turn=run.turn, step=run.step)
    transitions = Transitions(bench.chat.engine, bench.live)
    state = await ActivityEnvironment().run(transitions.commit_results, commit)
    await bench.live.drain()
    assert state.name is StateName.W
    assert counted("recoveries_total") == recoveries
    assert counted("turn_seconds_count", outcome="committed") == turns + 1
