"""The machine's writes against real rows: every cell of the matrix, once and twice."""

from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from models.chat_state import ChatState, ChatStatus, StateName
from models.compaction import CompactionReason
from models.store.bundle import ChatNotFoundError, read_state
from models.store.queueing import QUEUE_LIMIT
from models.store.tables import drafts
from models.store.transcripts import read_transcript
from models.store.transitions import commit_transition
from models.turns import BusyBehavior, Commit, Placement, Verdict
from tests.models.store.rows import ROWS, THEIRS, ChatRows
from workflows.chat.events import (
    ActionNeeded,
    ActionTimedOut,
    ArchivedSet,
    CallsAnswered,
    CompactionRequested,
    ContextCleared,
    Event,
    InterruptAsked,
    MessageEdited,
    MessageSent,
    QueuedDeleted,
    QueuedPromoted,
    SteeringDue,
    StepStopped,
    TurnEnded,
)
from workflows.chat.machine import MATRIX, IllegalTransition, allowed, decide

EVENTS = [
    "send",
    "send_interrupt",
    "send_steer",
    "edit",
    "delete_queued",
    "promote_queued",
    "interrupt",
    "archive",
    "unarchive",
    "compact",
    "clear",
    "turn_ended",
    "step_stopped",
    "steering_due",
    "action_needed",
    "calls_answered",
    "action_timed_out",
]


PLAIN: dict[str, Event] = {
    "compact": CompactionRequested(),
    "clear": ContextCleared(),
    "turn_ended": TurnEnded(),
    "step_stopped": StepStopped(),
}


BUSY = {
    "send": BusyBehavior.QUEUE,
    "send_interrupt": BusyBehavior.INTERRUPT,
    "send_steer": BusyBehavior.STEER,
}


async def event_named(name: str, chat: ChatRows) -> Event:
    match name:
        case "send" | "send_interrupt" | "send_steer":
            return MessageSent(await chat.draft(), BUSY[name])
        case "edit":
            return MessageEdited(await chat.draft("instead"), await chat.say("before"))
        case "delete_queued":
            return QueuedDeleted(await chat.last_queued())
        case "promote_queued":
            return QueuedPromoted(await chat.last_queued())
        case "steering_due":
            return SteeringDue()
        case "action_needed":
            return ActionNeeded(300)
        case "calls_answered":
            results = [{"tool_call_id": "call_1", "output": "done", "is_error": False}]
            return CallsAnswered(await chat.draft_of(results), Placement.RESULTS, turn=3, step=1, seconds=300)
        case "action_timed_out":
            return ActionTimedOut()
        case "interrupt":
            return InterruptAsked()
        case "archive" | "unarchive":
            return ArchivedSet(name == "archive")
        case _:
            return PLAIN[name]


async def write_for(chat: ChatRows, name: StateName, event_name: str) -> None:
    """A chat in this state, with what the event is about."""
    if event_name == "action_needed":
        await chat.write(name, calls=[THEIRS])
    else:
        await chat.write(name, open_calls=event_name != "steering_due", steering=event_name == "steering_due")


@pytest.mark.parametrize("name", list(ROWS))
@pytest.mark.parametrize("event_name", EVENTS)
async def test_every_cell_on_real_rows(chat: ChatRows, name: StateName, event_name: str):
    await write_for(chat, name, event_name)
    if event_name in ("compact", "clear"):
        await chat.say("earlier", role="assistant")
    earlier = len(await chat.texts())
    event = await event_named(event_name, chat)
    before, queue = await chat.row(), await chat.waiting()
    if not allowed(event.transition, name):
        with pytest.raises(IllegalTransition):
            await chat.commit(event)
        assert await chat.row() == before
        return
    receipt = await chat.commit(event)
    after = await chat.row()
    assert receipt.verdict is Verdict.APPLIED
    assert receipt.state == await read_state(chat.engine, chat.chat)
    assert receipt.state.name in MATRIX[event.transition][name]
    assert after["snapshot_version"] == before["snapshot_version"] + 1
    entered = (await chat.texts())[earlier:]
    if event_name == "edit":
        assert entered == ["instead"], "the message and the open call behind it are gone"
    assert (after["history_version"] == after["snapshot_version"]) == bool(entered)
    assert after["generation_attempt"] == (0 if entered else 2)
    queue_changed = await chat.waiting() != queue
    assert (after["queue_version"] == after["snapshot_version"]) == queue_changed
    assert after["queued"] == len(await chat.waiting())
    assert (receipt.state.compaction is CompactionReason.MANUAL) == (event_name == "compact")
    if receipt.state.turn != before["turn"]:
        if event_name != "edit":
            assert entered[0] == "tool call_1", "an open call is answered before the user message"
        assert (receipt.state.step, receipt.state.open_calls) == (0, ())
    leaves_error = receipt.state.status is not ChatStatus.ERROR
    if name in (StateName.E0, StateName.E1):
        assert (after["last_error"] is None) == leaves_error
    waits = receipt.state.status is ChatStatus.REQUIRES_ACTION
    assert (after["requires_action_deadline_at"] is not None) == waits


@pytest.mark.parametrize("event_name", EVENTS)
async def test_a_command_delivered_twice_is_applied_once(chat: ChatRows, event_name: str):
    name = {
        "unarchive": StateName.XW,
        "archive": StateName.W,
        "step_stopped": StateName.I1,
        "compact": StateName.E1,
        "clear": StateName.E0,
        "calls_answered": StateName.A1,
        "action_timed_out": StateName.A1,
        "promote_queued": StateName.A1,
    }
    await write_for(chat, name.get(event_name, StateName.R1), event_name)
    await chat.say("earlier", role="assistant")
    write = decide(await read_state(chat.engine, chat.chat), await event_named(event_name, chat))
    commit = Commit(chat_id=chat.chat, command_id="same", write=write)
    first = await commit_transition(chat.engine, commit)
    rows, texts, waiting = await chat.row(), await chat.texts(), await chat.waiting()
    second = await commit_transition(chat.engine, commit)
    assert (await chat.row(), await chat.texts(), await chat.waiting()) == (rows, texts, waiting)
    assert (second.verdict, second.state) == (Verdict.APPLIED, first.state)
    if event_name.startswith("send") or event_name in ("calls_answered", "edit"):
        assert (second.message_ids, second.queued_id) == (first.message_ids, first.queued_id)


async def test_after_an_error_the_oldest_waiting_message_runs_and_the_new_one_is_last(chat: ChatRows):
    await chat.write(StateName.E1)
    await chat.commit(MessageSent(await chat.draft("new"), BusyBehavior.QUEUE))
    assert await chat.texts() == ["tool call_1", "queued 0"]
    assert await chat.waiting() == ["queued 1", "new"]


async def test_a_write_decided_on_an_outdated_state_changes_nothing(chat: ChatRows):
    await chat.write(StateName.R0)
    stale = decide(
        ChatState(status=ChatStatus.WAITING, turn=3), MessageSent(await chat.draft(), BusyBehavior.QUEUE)
    )
    before = await chat.row()
    receipt = await commit_transition(chat.engine, Commit(chat_id=chat.chat, command_id="c", write=stale))
    assert receipt.verdict is Verdict.STALE
    assert receipt.state.name is StateName.R0
    assert await chat.row() == before


async def test_a_withdrawn_draft_is_never_delivered(chat: ChatRows):
    await chat.write(StateName.W)
    draft = await chat.draft()
    async with chat.engine.begin() as conn:
        await conn.execute(drafts.update().where(drafts.c.id == draft).values(state="withdrawn"))
    before = await chat.row()
    receipt = await chat.commit(MessageSent(draft, BusyBehavior.QUEUE))
    assert receipt.verdict is Verdict.WITHDRAWN
    assert await chat.row() == before


async def test_the_queue_takes_twenty_messages(chat: ChatRows):
    await chat.write(StateName.R1, queued=QUEUE_LIMIT)
    before = await chat.row()
    receipt = await chat.commit(MessageSent(await chat.draft(), BusyBehavior.QUEUE))
    assert receipt.verdict is Verdict.QUEUE_FULL
    assert await chat.row() == before


async def test_a_direct_message_carries_its_model_into_the_chat(chat: ChatRows):
    await chat.write(StateName.W, open_calls=False)
    receipt = await chat.commit(MessageSent(await chat.draft("direct"), BusyBehavior.QUEUE))
    assert await chat.texts() == ["direct"]
    assert len(receipt.message_ids) == 1
    assert receipt.state.turn == 4


async def test_nul_and_its_escape_survive(chat: ChatRows):
    text = "real \x00 and literal \\u0000"
    await chat.write(StateName.W, open_calls=False)
    await chat.commit(MessageSent(await chat.draft(text), BusyBehavior.QUEUE))
    assert await chat.texts() == [text]


async def test_a_chat_that_does_not_exist_is_named(engine: AsyncEngine):
    write = decide(ChatState(status=ChatStatus.WAITING), ArchivedSet(True))
    with pytest.raises(ChatNotFoundError):
        await commit_transition(engine, Commit(chat_id=uuid4(), command_id="c", write=write))


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        (CompactionRequested(), Verdict.NOTHING_TO_COMPACT),
        (ContextCleared(), Verdict.NOTHING_TO_CLEAR),
    ],
)
async def test_without_anything_since_the_last_boundary_nothing_is_done(
    chat: ChatRows, event: Event, verdict: Verdict
):
    await chat.write(StateName.W, open_calls=False)
    await chat.say("be brief", role="system", visibility="model")
    await chat.say("long ago", role="assistant")
    await chat.say("a summary", visibility="model", compressed=True)
    before = await chat.row()
    assert (await chat.commit(event)).verdict is verdict
    assert await chat.row() == before


async def test_a_user_message_alone_can_be_cleared_but_not_compacted(chat: ChatRows):
    await chat.write(StateName.E0, open_calls=False)
    await chat.say("hello?")
    assert (await chat.commit(CompactionRequested())).verdict is Verdict.NOTHING_TO_COMPACT
    assert (await chat.commit(ContextCleared())).verdict is Verdict.APPLIED
    assert (await chat.commit(ContextCleared(), "again")).verdict is Verdict.NOTHING_TO_CLEAR
    row = await chat.row()
    assert (row["status"], row["last_error"]) == ("waiting", None)
    sentinel, call, result = (await chat.history())[1:]
    assert [(r["role"], r["visibility"]) for r in (sentinel, call, result)] == [
        ("user", "model"),
        ("assistant", "user"),
        ("tool", "both"),
    ]
    assert all(r["compressed"] for r in (sentinel, call, result))
    assert call["content"][0]["tool_call_id"] == result["content"][0]["tool_call_id"]
    assert [m.role for m in await read_transcript(chat.engine, chat.chat)] == ["user"]


async def test_a_request_outlives_queueing_and_not_an_interrupt(chat: ChatRows):
    await chat.write(StateName.W, open_calls=False)
    await chat.say("an answer", role="assistant")
    assert (await chat.commit(CompactionRequested())).state.compaction is CompactionReason.MANUAL
    queued = await chat.commit(MessageSent(await chat.draft(), BusyBehavior.QUEUE))
    assert (queued.state.name, queued.state.compaction) == (StateName.R1, CompactionReason.MANUAL)
    stopped = await chat.commit(InterruptAsked(), "stop")
    assert (stopped.state.name, stopped.state.compaction) == (StateName.I1, None)
