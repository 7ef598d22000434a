"""One compaction on real rows: what is asked, stored and shown, and how the chat goes on."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, update
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.compaction import Compactions
from activities.listening import Patience
from activities.prompt.summary import INSTRUCTION, PREFIX
from activities.providers.demo import script_block
from activities.stops import StopListener
from models.chat_state import ChatState, ChatStatus, StateName
from models.compaction import CompactionReason
from models.hints import HintKind, chat_list_key, decode_hint, inbox_key
from models.store.tables import chats, compaction_thresholds, inbox_notifications, model_configs
from models.store.transcripts import read_transcript
from models.turns import Compaction, ModelCall, StepEnd
from tests.activities.bench import Bench
from tests.durable.rows import until

FULL = {"input_tokens": 60_000, "cache_read_input_tokens": 20_000, "output_tokens": 5}


def compactions(bench: Bench, *, timeout_seconds: float = 20) -> Compactions:
    return Compactions(
        bench.chat.engine,
        bench.live,
        StopListener(bench.redis),
        bench.tools,
        bench.directory,
        bench.attachments,
        Patience(20, 20),
        timeout_seconds,
    )


async def compact(
    bench: Bench, means: Compactions | None = None, *, step: int = 2, manual: bool = False
) -> ChatState:
    compaction = Compaction(chat_id=bench.chat.chat, turn=3, step=step, manual=manual)
    state = await ActivityEnvironment().run((means or compactions(bench)).compact, compaction)
    await bench.live.drain()
    return state


async def full_chat(bench: Bench) -> ChatState:
    """A turn whose last step has filled the context."""
    call = await bench.begin(script_block({"text": "done", "usage": FULL}))
    outcome = await bench.call(call)
    assert outcome.end is StepEnd.COMMITTED
    return outcome.state


async def set_row(bench: Bench, **columns: Any) -> None:
    async with bench.chat.engine.begin() as conn:
        await conn.execute(update(chats).where(chats.c.id == bench.chat.chat).values(**columns))


async def set_model(bench: Bench, model: UUID | None = None, **columns: Any) -> None:
    """Change a model, or that of the chat."""
    async with bench.chat.engine.begin() as conn:
        await conn.execute(
            update(model_configs).where(model_configs.c.id == (model or bench.chat.model)).values(**columns)
        )


async def told(bench: Bench) -> list[HintKind]:
    """What the owner's lists were told, the chat list first."""
    client: Any = bench.redis
    owner = bench.chat.owner
    entries = [
        decode_hint(owner, fields)
        for key in (chat_list_key(owner), inbox_key(owner))
        for _, fields in await client.xrange(key)
    ]
    return [hint.kind for hint in entries if hint is not None]


async def notified(bench: Bench) -> int:
    """Notifications the chat has left in the inbox."""
    async with bench.chat.engine.connect() as conn:
        query = select(func.count()).where(inbox_notifications.c.chat_id == bench.chat.chat)
        return (await conn.execute(query)).scalar_one()


async def test_a_full_context_is_summarized_and_the_turn_goes_on_behind_the_summary(bench: Bench):
    state = await full_chat(bench)
    assert (state.name, state.turn_ended, state.compaction) == (
        StateName.R0,
        True,
        CompactionReason.THRESHOLD,
    )
    after = await compact(bench)

    assert (after.name, after.turn_ended, after.compaction) == (StateName.R0, False, None)
    summary, call, result = (await bench.chat.history())[-3:]
    assert [(r["role"], r["visibility"], r["compressed"]) for r in (summary, call, result)] == [
        ("user", "model", True),
        ("assistant", "user", True),
        ("tool", "both", True),
    ]
    (call_part,), (result_part,) = call["content"], result["content"]
    assert call_part["tool_call_id"] == result_part["tool_call_id"]
    assert call_part["tool_call_id"].startswith("chat_summarized_")
    assert (call_part["tool_name"], call_part["args"]) == (
        "chat_summarized",
        {"source": "automatic", "threshold_percent": 70},
    )
    figures = result_part["result"]
    assert summary["content"][0]["text"] == f"{PREFIX}\n\n{figures['summary']}"
    estimated = figures.pop("estimated_context_tokens")
    assert 0 < estimated < 1000
    assert figures == {
        "summary": figures["summary"],
        "source": "automatic",
        "threshold_percent": 70,
        "usage_percent": 80.0,
        "context_tokens": 80_000,
        "context_limit_tokens": 100_000,
    }
    request = bench.model.requests[-1].body
    assert request["tool_choice"] == {"type": "none"}
    assert request["messages"][-1]["content"][-1]["text"] == INSTRUCTION

    outcome = await bench.call(ModelCall(chat_id=bench.chat.chat, turn=3, step=3))
    assert outcome.state.name is StateName.W
    prompt = bench.model.requests[-1].body["messages"]
    assert [m["role"] for m in prompt] == ["user"]
    assert prompt[0]["content"][0]["text"].startswith(PREFIX)


async def test_the_call_is_shown_before_the_slow_part_and_the_result_after_it(bench: Bench):
    await full_chat(bench)
    bench.model.order_fault({"kind": "stall", "name": "summary", "after_pieces": 1})
    running = asyncio.create_task(compact(bench))
    await bench.model.received(2)
    shown = await until(bench.shown)
    ((episode, seq, role, part),) = shown
    assert (seq, role, part["type"], part["tool_name"]) == (1, "assistant", "tool-call", "chat_summarized")
    bench.model.release("summary")
    await running
    call = (await bench.chat.history())[-2]
    assert call["content"] == [part], "the same call in parts and rows"
    assert episode[0] < call["revision"]


async def test_an_attempt_that_comes_later_finds_it_done(bench: Bench):
    await full_chat(bench)
    states = await asyncio.gather(compact(bench), compact(bench))
    assert states[0].snapshot_version == states[1].snapshot_version
    rows = await bench.chat.history()
    assert [r["compressed"] for r in rows].count(True) == 3
    assert await compact(bench) == states[0]


async def test_after_three_times_the_turn_ends(bench: Bench):
    await full_chat(bench)
    await set_row(bench, reentries=3)
    assert (await compact(bench)).name is StateName.W


async def test_between_tools_the_turn_just_goes_on(bench: Bench):
    await full_chat(bench)
    await set_row(bench, turn_ended=False)
    state = await compact(bench)
    assert (state.name, state.turn_ended) == (StateName.R0, False)
    assert (await bench.chat.row())["reentries"] == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 400, "message": "no"},
        {"kind": "status", "status": 401, "message": "no"},
    ],
)
async def test_an_error_is_shown_and_does_not_fail_the_turn(bench: Bench, fault: dict[str, Any]):
    await full_chat(bench)
    bench.model.order_fault(fault)
    state = await compact(bench)
    assert (state.name, state.compaction) == (StateName.W, None)
    assert (await bench.chat.row())["last_error"] is None
    call, result = await bench.shown()
    assert call[3]["tool_call_id"] == result[3]["tool_call_id"]
    assert (result[2], result[3]["is_error"]) == ("tool", True)
    assert "error" in result[3]["result"]
    assert [r["compressed"] for r in await bench.chat.history()].count(True) == 0


async def test_a_summary_that_takes_too_long_is_given_up(bench: Bench):
    await full_chat(bench)
    bench.model.order_fault({"kind": "stall", "after_pieces": 1})
    assert (await compact(bench, compactions(bench, timeout_seconds=0.3))).name is StateName.W


async def test_a_transient_failure_is_tried_again(bench: Bench):
    await full_chat(bench)
    bench.model.order_fault({"kind": "status", "status": 529})
    with pytest.raises(ApplicationError) as raised:
        await compact(bench)
    assert raised.value.type == "overloaded"
    assert (await compact(bench)).turn_ended is False


async def test_a_prompt_too_long_even_for_its_summary_is_told_shorter(bench: Bench):
    await full_chat(bench)
    for _ in range(2):
        bench.model.order_fault({"kind": "status", "status": 413})
    assert (await compact(bench)).turn_ended is False
    bodies = [request.body for request in bench.model.requests[-3:]]
    assert ["tools" in body for body in bodies] == [True, False, False]


async def test_an_overflow_is_compacted_and_the_question_asked_again(bench: Bench):
    call = await bench.begin("first question")
    await bench.chat.say("first answer", role="assistant", turn=3, step=1)
    question = await bench.chat.say("second question")
    bench.model.order_fault({"kind": "status", "status": 400, "message": "prompt is too long: 9 > 8"})
    outcome = await bench.call(call)
    assert (outcome.end, outcome.state.name) == (StepEnd.OVERFLOWED, StateName.R0)
    assert outcome.state.compaction is CompactionReason.OVERFLOW

    state = await compact(bench, step=1)
    assert (state.name, state.compaction) == (StateName.R0, None)
    transcript = await read_transcript(bench.chat.engine, bench.chat.chat)
    assert [row.parts[0]["text"] for row in transcript][1:] == ["second question"]
    assert transcript[0].boundary
    replayed = (await bench.chat.history())[-1]
    assert (replayed["visibility"], replayed["compressed"]) == ("model", False)
    assert replayed["id"] > question
    summarized = bench.model.requests[-1].body["messages"]
    assert "second question" not in str(summarized)

    bench.model.order_fault({"kind": "status", "status": 413})
    again = await bench.call(call)
    assert (again.end, again.state.name) == (StepEnd.FAILED, StateName.E0)
    assert (await bench.chat.row())["last_error"]["kind"] == "config"


async def test_an_overflow_with_nothing_to_summarize_is_an_error(bench: Bench):
    call = await bench.begin("one endless question")
    bench.model.order_fault({"kind": "status", "status": 413})
    assert (await bench.call(call)).end is StepEnd.OVERFLOWED
    assert (await compact(bench, step=1)).name is StateName.E0
    error = (await bench.chat.row())["last_error"]
    assert (error["kind"], error["retryable"]) == ("config", False)
    assert "nothing in it" in error["message"]
    assert len(bench.model.requests) == 1


async def test_still_over_the_limit_behind_the_summary_is_an_error(bench: Bench):
    call = await bench.begin("first question")
    await bench.chat.say("first answer", role="assistant", turn=3, step=1)
    await bench.chat.say("x" * 2000)
    await set_model(bench, context_limit=500)
    bench.model.order_fault({"kind": "status", "status": 413})
    await bench.call(call)
    assert (await compact(bench, step=1)).name is StateName.E0
    assert [r["compressed"] for r in await bench.chat.history()].count(True) == 3, "the summary is kept"
    assert "does not fit" in (await bench.chat.row())["last_error"]["message"]


async def test_the_owner_may_switch_it_off_or_set_it_lower(bench: Bench):
    call = await bench.begin(script_block({"text": "done", "usage": FULL}))
    async with bench.chat.engine.begin() as conn:
        await conn.execute(
            insert(compaction_thresholds).values(
                user_id=bench.chat.owner, model_config_id=bench.chat.model, threshold_percent=100
            )
        )
    assert (await bench.call(call)).state.name is StateName.W


async def test_below_the_threshold_nothing_is_compacted(bench: Bench):
    usage = {"input_tokens": 69_000, "output_tokens": 5}
    call = await bench.begin(script_block({"text": "done", "usage": usage}))
    assert (await bench.call(call)).state.name is StateName.W


@pytest.mark.parametrize(("queued", "after"), [(0, StateName.W), (2, StateName.R1)])
async def test_a_requested_one_needs_no_threshold_and_no_answer_follows(
    bench: Bench, queued: int, after: StateName
):
    name = StateName.R1 if queued else StateName.R0
    await bench.begin("a question", name)
    await bench.chat.say("an answer", role="assistant", turn=3, step=1)
    await set_row(bench, compaction_requested_at=func.now(), turn_ended=True)
    state = await compact(bench, step=1, manual=True)
    assert (state.name, state.turn_ended) == (after, True)
    call = (await bench.chat.history())[-2]
    assert call["content"][0]["args"] == {"source": "manual"}


async def test_a_requested_one_that_fails_says_so(bench: Bench):
    await bench.begin("a question")
    await bench.chat.say("an answer", role="assistant", turn=3, step=1)
    await set_row(bench, compaction_requested_at=func.now(), turn_ended=True)
    bench.model.order_fault({"kind": "status", "status": 401, "message": "no"})
    assert (await compact(bench, step=1, manual=True)).name is StateName.E0
    assert (await bench.chat.row())["last_error"]["kind"] == "auth"


@pytest.mark.parametrize("way", ["done", "no answer", "no model"])
async def test_a_requested_one_says_nothing_of_the_turn_before_it(bench: Bench, way: str):
    await bench.begin("a question")
    await bench.chat.say("an answer", role="assistant", turn=3, step=1)
    await set_row(bench, compaction_requested_at=func.now(), turn_ended=True)
    if way == "no answer":
        bench.model.order_fault({"kind": "status", "status": 401, "message": "no"})
    if way == "no model":
        await set_model(bench, deleted=True, is_default=False)
    state = await compact(bench, step=1, manual=True)
    assert state.name is (StateName.W if way == "done" else StateName.E0)
    summary = [HintKind.CHAT_SUMMARY_CHANGE] if way == "done" else []
    assert await told(bench) == [HintKind.STATUS_CHANGE, *summary]
    assert await notified(bench) == 0
    assert await compact(bench, step=1, manual=True) == state  # whoever committed it may not have told
    assert await told(bench) == [HintKind.STATUS_CHANGE, *summary, HintKind.STATUS_CHANGE]


async def test_an_overflow_that_ends_the_turn_is_in_the_inbox(bench: Bench):
    call = await bench.begin("a question")
    await bench.chat.say("an answer", role="assistant", turn=3, step=1)
    bench.model.order_fault({"kind": "status", "status": 401, "message": "no"})
    await set_row(bench, compaction_due=CompactionReason.OVERFLOW)
    assert (await compact(bench, step=call.step - 1)).name is StateName.E0
    assert await told(bench) == [HintKind.STATUS_CHANGE, HintKind.NOTIFIED]
    assert await notified(bench) == 1


@pytest.mark.parametrize("fails", [True, False])
async def test_a_turn_that_a_tool_has_ended_rests_behind_its_compaction(bench: Bench, fails: bool):
    await bench.begin("a question")
    await bench.chat.say("an answer", role="assistant", turn=3, step=1)
    await set_row(bench, compaction_due=CompactionReason.INLINE, turn_ended=True)
    if fails:
        bench.model.order_fault({"kind": "status", "status": 401, "message": "no"})
    assert (await compact(bench, step=1)).name is StateName.W
    assert HintKind.TURN_FINISHED in await told(bench)
    assert await notified(bench) == 1


async def test_a_chat_that_has_moved_on_is_left_alone(bench: Bench):
    await full_chat(bench)
    await set_row(bench, status=ChatStatus.INTERRUPTING)
    before = await bench.chat.row()
    assert (await compact(bench)).name is StateName.I0
    assert await bench.chat.row() == before
