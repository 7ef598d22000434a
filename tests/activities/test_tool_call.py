"""A call whose result the database does not take."""

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.providers.demo import script_block
from models.store.steps import commit_results
from models.turns import ResultsCommit, ToolEnd, ToolRun
from tests.activities.bench import Bench


async def test_a_result_that_cannot_be_stored_becomes_one_that_says_so(bench: Bench):
    tool = {"name": "current_time", "input": {"timezone": "UTC"}}
    call = await bench.begin(script_block({"tools": [tool]}))
    (open_call,) = (await bench.call(call)).state.open_calls
    run = ToolRun(chat_id=call.chat_id, turn=call.turn, step=call.step, call=open_call)
    rule = f"CHECK (chat_id <> '{run.chat_id}' OR part::text LIKE '%\"is_error\"%') NOT VALID"
    async with bench.chat.engine.begin() as conn:
        await conn.execute(text(f"ALTER TABLE tool_results ADD CONSTRAINT errors_only {rule}"))
    try:
        assert await ActivityEnvironment().run(bench.tool_calls.run_tool, run) is ToolEnd.FINISHED
    finally:
        async with bench.chat.engine.begin() as conn:
            await conn.execute(text("ALTER TABLE tool_results DROP CONSTRAINT errors_only"))
    await bench.live.drain()

    await commit_results(bench.chat.engine, ResultsCommit(chat_id=run.chat_id, turn=run.turn, step=run.step))
    (result,) = (await bench.chat.history())[-1]["content"]
    assert (result["tool_call_id"], result["is_error"]) == (open_call.id, True)
    assert "cannot be stored" in result["result"]
