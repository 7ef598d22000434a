"""kill -9 of the worker at every point of a turn: nothing accepted is lost, nothing comes twice."""

from redis.asyncio import Redis
from sqlalchemy import text

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from runtime.configuration.changes import Change, ChangeKind, tell
from tests.durable.caller import Caller
from tests.durable.rows import Rows
from tests.durable.saying import WORDS

WAITING_FOR_A_LOCK = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'model_configs'::regclass"


async def test_killed_before_it_took_the_step(perdure: Stack, caller: Caller):
    await perdure.kill("worker")
    said = script_block({"text": WORDS, "pieces": 10}) + " no worker yet"
    chat = await caller.create(said)
    reader = caller.read(chat)
    await reader.connected()
    assert reader.status == "running", "a reader before the first token knows of the turn"
    await perdure.start("worker")
    await reader.rested()
    await caller.agree(reader, chat, [said], [WORDS])


async def test_killed_between_taking_the_step_and_calling_the_model(
    perdure: Stack, caller: Caller, rows: Rows, model: DemoModel, redis: Redis
):
    first = script_block({"text": "held", "hold": {"name": "gate", "after_pieces": 0}})
    second = script_block({"text": WORDS, "pieces": 10}) + " second"
    chat = await caller.create(first)
    reader = caller.read(chat)
    await model.reached("gate")
    await caller.send(chat, second)
    calls = len(model.requests_of(chat))
    async with rows.engine.begin() as lock:
        # a worker that was told of changes reads its model's row and waits here, so it dies before the call
        await lock.execute(text("LOCK TABLE model_configs IN ACCESS EXCLUSIVE MODE"))
        await tell(redis, Change(kind=ChangeKind.MODEL))
        model.release("gate")
        await rows.until(WAITING_FOR_A_LOCK)
        await perdure.kill("worker")
    assert len(model.requests_of(chat)) == calls
    await perdure.start("worker")
    await reader.rested(2)
    await caller.agree(reader, chat, [first, second], ["held", WORDS])
    assert len(model.requests_of(chat)) == calls + 1


async def test_killed_in_mid_stream(perdure: Stack, caller: Caller, model: DemoModel):
    said = script_block({"text": WORDS, "pieces": 10, "hold": {"name": "middle", "after_pieces": 4}})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("middle")
    await reader.until(lambda r: "three" in r.preview)
    before = reader.episode
    await perdure.kill("worker")
    model.release("middle")
    await perdure.start("worker")
    await reader.rested()
    assert reader.episode > before, "the second attempt is another episode"
    await caller.agree(reader, chat, [said], [WORDS])
    assert [event["type"] for event in reader.seen].count("preview_reset") >= 1


async def test_killed_after_the_commit_but_before_the_workflow_knew(
    perdure: Stack, caller: Caller, rows: Rows, model: DemoModel
):
    said = script_block({"text": WORDS, "pieces": 10, "hold": {"name": "late", "after_pieces": 9}})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("late")
    async with rows.commit_held("steps", chat) as committing:
        model.release("late")
        await committing()
        await perdure.kill("worker")
    await perdure.start("worker")
    await reader.rested()
    after = script_block({"text": "and on"}) + " still there?"
    await caller.send(chat, after)
    await reader.rested(2)
    await caller.agree(reader, chat, [said, after], [WORDS, "and on"])
    assert len(model.requests_of(chat)) == 2, "the committed step is not run again"


async def test_killed_during_the_wait_before_a_retry(perdure: Stack, caller: Caller, model: DemoModel):
    overloaded = {"kind": "status", "status": 529, "error_type": "overloaded_error", "message": "busy"}
    said = script_block({"text": WORDS, "pieces": 10, "fault": [overloaded]}) + " retry"
    chat = await caller.create(said)
    reader = caller.read(chat)
    await reader.until(lambda r: [event for event in r.seen if event["type"] == "retry"])
    await perdure.kill("worker")
    await perdure.start("worker")
    await reader.rested()
    await caller.agree(reader, chat, [said], [WORDS])
    (retry,) = [event["retry"] for event in reader.seen if event["type"] == "retry"]
    assert (retry["attempt"], retry["kind"], retry["delay_ms"]) == (1, "overloaded", 1000)


async def test_killed_twice_in_a_turn_with_a_tool(perdure: Stack, caller: Caller, model: DemoModel):
    said = script_block(
        {
            "text": "Let me look.",
            "tools": [{"name": "current_time", "input": {"timezone": "UTC"}}],
            "hold": {"name": "one", "after_pieces": 1},
        },
        {"text": WORDS, "pieces": 10, "hold": {"name": "two", "after_pieces": 5}},
    )
    chat = await caller.create(said)
    reader = caller.read(chat)
    for hold in ("one", "two"):
        await model.reached(hold)
        await perdure.kill("worker")
        model.release(hold)
        await perdure.start("worker")
    await reader.rested(2)
    await caller.agree(reader, chat, [said], ["Let me look.", WORDS])
    roles = [message["role"] for message in await caller.messages(chat)]
    assert roles == ["user", "assistant", "tool", "assistant"]


async def test_sigterm_hands_the_step_over_and_is_no_interrupt(
    perdure: Stack, caller: Caller, model: DemoModel
):
    said = script_block({"text": WORDS, "pieces": 10, "hold": {"name": "deploy", "after_pieces": 4}})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("deploy")
    await perdure.stop("worker")
    model.release("deploy")
    await perdure.start("worker")
    await reader.rested()
    await caller.agree(reader, chat, [said], [WORDS])
