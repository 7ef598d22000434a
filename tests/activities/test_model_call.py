"""Every way a model call can fail without the SDK saying so, and what becomes of the chat."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import text, update
from temporalio.testing import ActivityEnvironment

from activities.providers.demo import script_block
from models.chat_state import ChatStatus, StateName
from models.failures import RetryLimits
from models.store.bundle import read_state
from models.store.steps import commit_results
from models.store.tables import chats, model_configs
from models.turns import BusyBehavior, ModelCall, ResultsCommit, StepEnd, ToolEnd, ToolRun
from tests.activities.bench import Bench
from workflows.chat.events import MessageSent

WORDS = "one two three four"

TRANSIENT: list[tuple[dict[str, Any], str]] = [
    ({"kind": "status", "status": 529}, "overloaded"),
    ({"kind": "status", "status": 503}, "timeout"),
    ({"kind": "error_event", "after_pieces": 2}, "overloaded"),
    ({"kind": "error_event", "after_pieces": 2, "error_type": "api_error", "message": "Oops"}, "generic"),
    ({"kind": "cut", "after_pieces": 2}, "timeout"),
    ({"kind": "cut", "after_pieces": 100}, "timeout"),
    ({"kind": "drop", "after_pieces": 2}, "timeout"),
    ({"kind": "bad_frame", "after_pieces": 2}, "generic"),
]


@pytest.mark.parametrize(("fault", "kind"), TRANSIENT)
async def test_a_transient_failure_is_stored_shown_and_forgotten_by_the_answer(
    bench: Bench, fault: dict[str, Any], kind: str
):
    call = await bench.begin(script_block({"text": WORDS, "fault": [fault]}))
    error = await bench.retry_of(call)
    assert (error.type, error.next_retry_delay) == (kind, timedelta(seconds=1))
    stored = (await bench.chat.row())["retry_state"]
    assert (stored["attempt"], stored["kind"], stored["provider"]) == (1, kind, "demo")
    assert await bench.shown() == [], "the parts of the failed attempt are gone"

    outcome = await bench.call(call)

    row = await bench.chat.row()
    assert (outcome.end, outcome.state.name) == (StepEnd.COMMITTED, StateName.W)
    assert (row["retry_state"], row["last_error"], row["failing_since"]) == (None, None, None)
    assert (await bench.chat.texts())[1:] == [WORDS]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "2.5"}, 2.5),
        ({"retry-after": "9", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "0.2"}, 1.0),
        ({"retry-after": "soon"}, 1.0),
        ({"retry-after": "Sun, 01 Mar 2020 12:00:00 GMT"}, 1.0),
    ],
)
async def test_the_provider_says_how_long_to_wait(bench: Bench, headers: dict[str, str], seconds: float):
    fault = {"kind": "status", "status": 429, "headers": headers}
    call = await bench.begin(script_block({"text": WORDS, "fault": [fault]}))
    error = await bench.retry_of(call)
    assert error.next_retry_delay == timedelta(seconds=seconds)
    assert (await bench.chat.row())["retry_state"]["delay_ms"] == seconds * 1000


async def test_the_provider_says_until_when_to_wait(bench: Bench):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    fault = {"kind": "status", "status": 503, "headers": {"RETRY-AFTER": date}}
    error = await bench.retry_of(await bench.begin(script_block({"text": WORDS, "fault": [fault]})))
    assert error.next_retry_delay is not None
    assert 90 < error.next_retry_delay.total_seconds() <= 100


@pytest.mark.parametrize(
    ("status", "header", "retried"),
    [(429, "false", False), (400, "true", True), (401, "true", False), (529, "perhaps", True)],
)
async def test_the_provider_says_whether_to_come_back(bench: Bench, status: int, header: str, retried: bool):
    fault = {"kind": "status", "status": status, "headers": {"x-should-retry": header}}
    call = await bench.begin(script_block({"text": WORDS, "fault": [fault]}))
    if retried:
        await bench.retry_of(call)
    else:
        assert (await bench.call(call)).state.name is StateName.E0
        assert (await bench.chat.row())["last_error"]["status_code"] == status


@pytest.mark.parametrize(("stop_reason", "named"), [("tool_use", "tool-calls"), ("pause_turn", "pause")])
async def test_an_answer_with_nothing_in_it_is_asked_again(bench: Bench, stop_reason: str, named: str):
    call = await bench.begin(script_block({"thinking": "Hm.", "stop_reason": stop_reason}))
    error = await bench.retry_of(call)
    assert error.type == "generic"
    assert (await bench.chat.row())["retry_state"]["error"] == ("Demo model ended its answer without output.")
    outcome = await bench.call(call, bench.models(limits=RetryLimits(attempts=2)))
    assert outcome.state.name is StateName.E0
    assert named in (await bench.chat.row())["last_error"]["detail"]


@pytest.mark.parametrize("stop_reason", ["end_turn", "max_tokens"])
async def test_a_model_may_end_with_nothing_to_say(bench: Bench, stop_reason: str):
    call = await bench.begin(script_block({"stop_reason": stop_reason}))
    outcome = await bench.call(call)
    assert (outcome.end, outcome.state.name) == (StepEnd.COMMITTED, StateName.W)


async def test_a_refusal_without_words_is_an_error_of_its_own_kind(bench: Bench):
    call = await bench.begin(script_block({"stop_reason": "refusal"}))
    assert (await bench.call(call)).state.name is StateName.E0
    error = (await bench.chat.row())["last_error"]
    assert (error["kind"], error["retryable"]) == ("content_filter", False)


async def test_a_refusal_in_words_is_an_answer(bench: Bench):
    call = await bench.begin(script_block({"text": "I had rather not.", "stop_reason": "refusal"}))
    assert (await bench.call(call)).state.name is StateName.W


async def test_a_call_cut_off_by_the_token_limit_is_stored_and_never_run(bench: Bench):
    tool = {"name": "current_time", "input": {"timezone": "UTC"}}
    call = await bench.begin(script_block({"text": "Let me", "tools": [tool], "stop_reason": "max_tokens"}))
    outcome = await bench.call(call)
    assert (outcome.state.name, outcome.state.open_calls) == (StateName.W, ())
    _, answer, result = await bench.chat.history()
    assert [part["type"] for part in answer["content"]] == ["text", "tool-call"]
    (part,) = result["content"]
    assert (part["tool_call_id"], part["is_error"]) == (answer["content"][1]["tool_call_id"], True)
    assert "not run" in part["result"]


@pytest.mark.parametrize(
    "fault", [{"kind": "slow_first", "seconds": 50}, {"kind": "stall", "after_pieces": 0}]
)
async def test_a_model_that_does_not_begin_is_given_up_and_asked_again(bench: Bench, fault: dict[str, Any]):
    call = await bench.begin(script_block({"text": WORDS, "fault": [fault]}))
    error = await bench.retry_of(call, bench.models(first_part_seconds=0.2))
    assert error.type == "startup_timeout"
    assert (await bench.chat.row())["retry_state"]["provider"] == "demo"
    await bench.model.settled()


async def test_a_model_that_falls_silent_is_given_up_and_asked_again(bench: Bench):
    call = await bench.begin(script_block({"text": WORDS, "fault": [{"kind": "stall", "after_pieces": 2}]}))
    error = await bench.retry_of(call, bench.models(first_part_seconds=0.2, silence_seconds=0.4))
    assert error.type == "stream_silence_timeout"


async def test_after_the_first_part_an_error_keeps_its_own_kind(bench: Bench):
    stalled = {"name": "later", "after_pieces": 2}
    fault = {"kind": "error_event", "after_pieces": 2, "error_type": "invalid_request_error", "message": "no"}
    call = await bench.begin(script_block({"text": WORDS, "hold": stalled, "fault": [fault]}))
    bench.model.release("later")
    assert (await bench.call(call, bench.models(first_part_seconds=5))).end is StepEnd.FAILED
    assert (await bench.chat.row())["last_error"]["kind"] == "generic"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut", "after_pieces": 2},
        {"kind": "drop", "after_pieces": 2},
        {"kind": "error_event", "after_pieces": 2, "error_type": "invalid_request_error", "message": "no"},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_what_was_said_is_kept_when_the_answer_breaks_off_behind_an_interrupt(
    bench: Bench, fault: dict[str, Any]
):
    name = f"behind-{fault['kind']}"
    hold = {"name": name, "after_pieces": 2}
    call = await bench.begin(script_block({"text": WORDS, "hold": hold, "fault": [fault]}))
    running = asyncio.create_task(bench.call(call))
    await bench.model.reached(name)
    async with bench.chat.engine.begin() as conn:  # the order to stop has not reached the worker yet
        await conn.execute(
            update(chats).where(chats.c.id == bench.chat.chat).values(status=ChatStatus.INTERRUPTING)
        )
    bench.model.release(name)
    outcome = await running
    assert (outcome.end, outcome.state.name) == (StepEnd.INTERRUPTED, StateName.W)
    assert (await bench.chat.texts())[1:] == ["one two "]


async def test_the_answer_keeps_its_tokens_and_the_limit_of_the_context(bench: Bench):
    usage = {"input_tokens": 900, "output_tokens": 10, "cache_read_input_tokens": 50}
    call = await bench.begin(script_block({"text": WORDS, "usage": usage}))
    await bench.call(call)
    assert (await bench.chat.history())[-1]["usage"] == {
        "input_tokens": 900,
        "output_tokens": 10,
        "cache_read_tokens": 50,
        "total_tokens": 960,
        "context_limit": 100_000,
    }


async def test_with_compaction_switched_off_a_prompt_too_long_is_an_error_that_says_what_to_do(bench: Bench):
    call = await bench.begin(script_block({"text": WORDS}))
    async with bench.chat.engine.begin() as conn:
        await conn.execute(
            update(model_configs)
            .where(model_configs.c.id == bench.chat.model)
            .values(compression_threshold=100)
        )
    bench.model.order_fault({"kind": "status", "status": 400, "message": "prompt is too long: 9 > 8"})
    assert (await bench.call(call)).state.name is StateName.E0
    error = (await bench.chat.row())["last_error"]
    assert (error["kind"], error["detail"]) == ("config", "prompt is too long: 9 > 8")
    assert "Compact or clear the chat" in error["message"]
    assert "context_overflow" not in error


async def test_the_effort_that_the_chat_asks_for_reaches_the_model(bench: Bench):
    sent: list[Any] = []
    bounds = {"default": "medium", "max": "high"}
    call = await bench.begin(script_block({"text": WORDS, "fault": [{"kind": "status", "status": 529}] * 2}))
    async with bench.chat.engine.begin() as conn:
        await conn.execute(
            update(model_configs)
            .where(model_configs.c.id == bench.chat.model)
            .values(
                model="claude-opus-4-6",
                call_config={"reasoning_effort": bounds},
            )
        )
    for effort in ("low", "high", None):
        async with bench.chat.engine.begin() as conn:
            await conn.execute(
                update(chats).where(chats.c.id == bench.chat.chat).values(last_reasoning_effort=effort)
            )
        if effort is None:
            await bench.call(call)
        else:
            await bench.retry_of(call)
        sent.append(bench.model.requests[-1].body["output_config"])
    assert sent == [{"effort": "low"}, {"effort": "high"}, {"effort": "medium"}]


async def test_arguments_nested_too_deeply_are_answered_with_an_error_and_asked_for_once(bench: Bench):
    deep: Any = "UTC"
    for _ in range(253):
        deep = [deep]
    tool = {"name": "current_time", "input": {"timezone": deep}}
    call = await bench.begin(script_block({"tools": [tool]}, {"text": WORDS}))

    outcome = await bench.call(call)

    (open_call,) = outcome.state.open_calls
    run = ToolRun(chat_id=call.chat_id, turn=call.turn, step=call.step, call=open_call)
    assert await ActivityEnvironment().run(bench.tool_calls.run_tool, run) is ToolEnd.FINISHED
    await bench.live.drain()
    await commit_results(bench.chat.engine, ResultsCommit(chat_id=run.chat_id, turn=run.turn, step=run.step))
    (result,) = (await bench.chat.history())[-1]["content"]
    assert result["is_error"]
    assert "not valid" in result["result"]
    assert len(bench.model.requests) == 1

    outcome = await bench.call(call.model_copy(update={"step": call.step + 1}))
    assert (outcome.end, outcome.state.name) == (StepEnd.COMMITTED, StateName.W)


async def test_an_answer_that_the_database_refuses_leaves_an_error_and_the_next_message_works(bench: Bench):
    call = await bench.begin(script_block({"text": WORDS}))
    async with answers_refused(bench):
        outcome = await bench.call(call)
    assert (outcome.end, outcome.state.name) == (StepEnd.FAILED, StateName.E0)
    error = (await bench.chat.row())["last_error"]
    assert (error["kind"], error["retryable"]) == ("generic", False)
    assert len(bench.model.requests) == 1
    assert (await bench.call(call)).end is StepEnd.FAILED, "the same step again is over"
    assert len(bench.model.requests) == 1

    await bench.chat.commit(MessageSent(await bench.chat.draft(), BusyBehavior.QUEUE))
    state = await read_state(bench.chat.engine, call.chat_id)
    again = ModelCall(chat_id=call.chat_id, turn=state.turn, step=state.step + 1)
    assert (await bench.call(again)).state.name is StateName.W


@asynccontextmanager
async def answers_refused(bench: Bench) -> AsyncGenerator[None]:
    """The database takes no answer into this chat."""
    rule = f"CHECK (chat_id <> '{bench.chat.chat}' OR role <> 'assistant') NOT VALID"
    async with bench.chat.engine.begin() as conn:
        await conn.execute(text(f"ALTER TABLE messages ADD CONSTRAINT no_answers {rule}"))
    try:
        yield
    finally:
        async with bench.chat.engine.begin() as conn:
            await conn.execute(text("ALTER TABLE messages DROP CONSTRAINT no_answers"))
