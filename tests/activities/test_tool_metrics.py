"""What is counted of tool calls, and of turns that end with one."""

from typing import Any

import pytest
from pydantic import BaseModel, JsonValue
from temporalio.testing import ActivityEnvironment

from activities.providers.demo import script_block
from activities.tool_call import ToolCalls
from activities.tools.registry import ToolRegistry
from activities.tools.tool import Media, Result, Tool, ToolContext, ToolError
from activities.transitions import Transitions
from models.chat_state import StateName, ToolCallRef
from models.store import tool_results
from models.turns import ResultsCommit, ToolEnd, ToolRun
from tests.activities.bench import Bench, counted


class Nothing(BaseModel):
    pass


async def propose(arguments: Nothing, context: ToolContext) -> JsonValue:
    return "done"


async def fail(arguments: Nothing, context: ToolContext) -> JsonValue:
    raise ToolError("no" * 50)


async def ramble(arguments: Nothing, context: ToolContext) -> JsonValue:
    return "x" * 200_000


async def paint(arguments: Nothing, context: ToolContext) -> Result:
    return Media("image/png", "AAAA" * 1000)


async def asked(
    bench: Bench, *, stop_after: bool = False, name: str = "propose"
) -> tuple[ToolCalls, ToolRun]:
    """A step that asks for one call, and what runs it."""
    bench.tools = ToolRegistry(
        [
            Tool("propose", "Propose.", Nothing, propose, repeatable=False, stop_after=stop_after),
            Tool("fail", "Fail.", Nothing, fail, repeatable=False),
            Tool("ramble", "Ramble.", Nothing, ramble, repeatable=False),
            Tool("paint", "Paint.", Nothing, paint, repeatable=False),
        ]
    )
    step: dict[str, Any] = {"text": "look", "tools": [{"name": name, "input": {}}]}
    outcome = await bench.call(await bench.begin(script_block(step)))
    (ref,) = outcome.state.open_calls
    return bench.tool_calls, ToolRun(
        chat_id=bench.chat.chat, turn=3, step=2, call=ToolCallRef(**ref.stored())
    )


@pytest.mark.parametrize(
    ("name", "label", "size", "errors", "cuts"),
    [
        ("propose", "propose", 4, 0, 0),
        ("fail", "fail", 100, 1, 0),
        ("ramble", "ramble", 200_000, 0, 1),
        ("paint", "paint", 4051, 0, 0),
        ("nobody", "unknown", None, 1, 0),
    ],
)
async def test_results_are_counted_once_by_size_error_and_cut(
    bench: Bench, name: str, label: str, size: int | None, errors: int, cuts: int
):
    means, run = await asked(bench, name=name)

    def now() -> list[float]:
        names = ("size_bytes_count", "size_bytes_sum", "truncated_total")
        of_results = [counted(f"tool_result_{kind}", tool_name=label) for kind in names]
        return [*of_results, counted("tool_errors_total", tool_name=label)]

    before = now()
    for _ in range(2):  # an attempt that only finds the result counts nothing
        assert await ActivityEnvironment().run(means.run_tool, run) is ToolEnd.FINISHED
    results, in_all, cut, failed = (after - earlier for after, earlier in zip(now(), before, strict=True))
    assert (results, cut, failed) == (1, cuts, errors)
    assert in_all == size or size is None
    await bench.live.drain()


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
