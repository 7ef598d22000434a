"""Edits, promotions and reconciliation on real rows: what goes, what stays, what answers."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update

from models.chat_state import StateName, ToolCallRef
from models.store import steps, tool_results
from models.store.steps import Answer
from models.store.tables import chats, drafts, model_configs, organizations, queued_messages
from models.store.transcripts import read_transcript
from models.turns import BusyBehavior, ModelCall, ResultsCommit, StepEnd, ToolRun, Verdict
from tests.models.store.rows import OURS, THEIRS, ChatRows, new_chat
from workflows.chat.events import (
    InvalidStateReconciled,
    MessageEdited,
    MessageSent,
    QueuedDeleted,
    QueuedPromoted,
    StepStopped,
    TurnEnded,
)

CALL: dict[str, Any] = {"type": "tool-call", "tool_call_id": "call_1", "tool_name": "t", "args": {}}
RESULT: dict[str, Any] = {"type": "tool-result", "tool_call_id": "call_1", "tool_name": "t", "result": 1}


async def edit(chat: ChatRows, message: int, text: str = "instead") -> Any:
    return await chat.commit(MessageEdited(await chat.draft(text), message))


async def test_an_edit_leaves_tombstones_that_share_the_revision_of_the_new_message(chat: ChatRows):
    await chat.write(StateName.W, open_calls=False)
    first = await chat.say("first", turn=1)
    await chat.say("an answer", role="assistant", turn=1, step=1)
    second = await chat.say("second")
    await chat.say("hidden", visibility="model")
    await chat.say("another answer", role="assistant", step=1)
    receipt = await edit(chat, second)
    rows = await chat.history()
    assert [row["deleted"] for row in rows] == [False, False, True, True, True, False]
    assert {row["revision"] for row in rows[2:]} == {receipt.version} == {11}
    assert {row["revision"] for row in rows[:2]} == {0}
    assert [m.parts[0]["text"] for m in await read_transcript(chat.engine, chat.chat)] == [
        "first",
        "an answer",
        "instead",
    ]
    assert (await edit(chat, second)).verdict is Verdict.MESSAGE_GONE
    assert (await edit(chat, first)).state.turn == 5
    assert await chat.texts() == ["instead"]


async def test_only_what_a_user_said_in_this_chat_can_be_edited(chat: ChatRows):
    await chat.write(StateName.W, open_calls=False)
    answered = await chat.say("an answer", role="assistant")
    hidden = await chat.say("hidden", visibility="model")
    other = await new_chat(chat.engine)
    await other.write(StateName.W)
    theirs = await other.say("theirs")
    before = await chat.row()
    for message in (answered, hidden, theirs, 2**62):
        assert (await edit(chat, message)).verdict is Verdict.MESSAGE_GONE
    assert await chat.row() == before


@pytest.mark.parametrize(
    ("answer", "later", "closes"),
    [
        ([CALL], [], True),
        ([CALL], [RESULT], False),
        ([CALL], [{"type": "mystery"}], True),
        ([CALL, RESULT], [], False),
        ([{**CALL, "provider_executed": True}], [], False),
    ],
)
async def test_a_call_left_open_before_the_message_is_closed_unless_it_has_or_needs_no_result(
    chat: ChatRows, answer: list[Any], later: list[Any], closes: bool
):
    await chat.write(StateName.W, open_calls=False)
    await chat.say("first", turn=1)
    await chat.say("", role="assistant", turn=1, step=1, content=answer)
    if later:
        await chat.say("", role="tool", turn=1, step=1, content=later)
    message = await chat.say("second")
    receipt = await edit(chat, message)
    left = [row for row in await chat.history() if not row["deleted"] and row["id"] > message]
    assert [row["role"] for row in left] == (["tool", "user"] if closes else ["user"])
    assert [row["id"] for row in left] == list(receipt.message_ids)
    if closes:
        (part,) = left[0]["content"]
        assert (part["tool_call_id"], part["is_error"]) == ("call_1", True)
        assert "edited" in part["result"]
        assert left[0]["created_by"] is None


async def test_calls_of_the_deleted_part_get_no_result(chat: ChatRows):
    await chat.write(StateName.A1)
    message = await chat.say("do it")
    await chat.say("", role="assistant", step=1, content=[CALL])
    receipt = await edit(chat, message)
    assert (receipt.state.name, receipt.state.open_calls) == (StateName.R0, ())
    assert await chat.texts() == ["instead"]
    assert await chat.waiting() == []


async def test_the_ledger_of_the_deleted_turn_answers_no_call_of_the_new_one(chat: ChatRows):
    await chat.write(StateName.R0, open_calls=False)
    message = await chat.say("do it")
    first = ModelCall(chat_id=chat.chat, turn=3, step=2)
    await steps.commit_step(chat.engine, first, Answer([CALL], [OURS], chat.model))
    run = ToolRun(chat_id=chat.chat, turn=3, step=2, call=OURS)
    await tool_results.record_result(chat.engine, run, RESULT)
    await edit(chat, message)
    for step in (1, 2):  # the same id, as some providers give, at the same number of the step
        again = ModelCall(chat_id=chat.chat, turn=4, step=step)
        outcome = await steps.commit_step(chat.engine, again, Answer([CALL], [OURS], chat.model))
        assert outcome.end is StepEnd.COMMITTED
        found = await tool_results.read_call(chat.engine, run.model_copy(update={"turn": 4, "step": step}))
        assert found is not None
        assert found.status is None
        done = await steps.commit_results(chat.engine, ResultsCommit(chat_id=chat.chat, turn=4, step=step))
        assert done.open_calls == ()
        assert (await chat.history())[-1]["content"][0]["is_error"], "no result of the deleted turn"


async def test_a_step_of_the_deleted_turn_comes_too_late(chat: ChatRows):
    await chat.write(StateName.I0, open_calls=False)
    message = await chat.say("do it")
    await edit(chat, message)
    late = ModelCall(chat_id=chat.chat, turn=3, step=2)
    partial = Answer([{"type": "text", "text": "partial"}], [], chat.model)
    outcome = await steps.commit_step(chat.engine, late, partial, interrupted=True)
    assert outcome.end is StepEnd.SUPERSEDED
    assert outcome.state.name is StateName.R0
    assert await chat.texts() == ["instead"]


async def another_model(chat: ChatRows, **columns: Any) -> UUID:
    """A model like the chat's."""
    async with chat.engine.begin() as conn:
        like = (
            (await conn.execute(select(model_configs).where(model_configs.c.id == chat.model)))
            .mappings()
            .one()
        )
        model = uuid4()
        values = {**like, "is_default": False, "id": model, "model": str(model), **columns}
        await conn.execute(insert(model_configs).values(values))
    return model


async def change_model(chat: ChatRows, **columns: Any) -> None:
    async with chat.engine.begin() as conn:
        await conn.execute(update(model_configs).where(model_configs.c.id == chat.model).values(**columns))


async def foreign_model(chat: ChatRows) -> UUID:
    organization = uuid4()
    async with chat.engine.begin() as conn:
        await conn.execute(insert(organizations).values(id=organization, name=str(organization)))
    return await another_model(chat, organization_id=organization)


async def queue_model(chat: ChatRows, model: UUID) -> int:
    queued = await chat.last_queued()
    async with chat.engine.begin() as conn:
        await conn.execute(
            update(queued_messages).where(queued_messages.c.id == queued).values(model_config_id=model)
        )
    return queued


@pytest.mark.parametrize("wanted", ["own", "disabled", "withheld", "foreign", "missing"])
@pytest.mark.parametrize("default", [True, False])
async def test_a_promotion_takes_the_message_s_model_or_the_default_or_nothing(
    chat: ChatRows, wanted: str, default: bool
):
    await chat.write(StateName.E1)
    await change_model(chat, is_default=False)
    model = {
        "own": lambda: another_model(chat),
        "disabled": lambda: another_model(chat, enabled=False),
        "withheld": lambda: another_model(chat, everyone=False),
        "foreign": lambda: foreign_model(chat),
    }.get(wanted)
    named = uuid4() if model is None else await model()
    if default:
        await change_model(chat, is_default=True)
    queued = await queue_model(chat, named)
    before, waiting = await chat.row(), await chat.waiting()
    receipt = await chat.commit(QueuedPromoted(queued))
    if wanted != "own" and not default:
        assert receipt.verdict is Verdict.NO_MODEL
        assert (await chat.row(), await chat.waiting()) == (before, waiting)
        return
    assert receipt.verdict is Verdict.APPLIED
    assert (await chat.row())["last_model_config_id"] == (named if wanted == "own" else chat.model)
    assert await chat.texts() == ["tool call_1", "queued 1"]
    assert await chat.waiting() == ["queued 0"]


async def test_the_end_of_a_turn_is_not_held_up_by_a_model_that_is_gone(chat: ChatRows):
    await chat.write(StateName.R1, queued=1)
    await change_model(chat, enabled=False, is_default=False)
    receipt = await chat.commit(TurnEnded())
    assert receipt.state.name is StateName.R0
    assert await chat.texts() == ["tool call_1", "queued 0"]


async def test_an_edit_keeps_the_model_and_the_effort_of_the_message(chat: ChatRows):
    await chat.write(StateName.W, open_calls=False)
    other = await another_model(chat)
    message = await chat.say("first", model_config_id=other, reasoning_effort="high")
    (instead,) = (await edit(chat, message)).message_ids
    row, new = await chat.row(), (await chat.history())[-1]
    assert (row["last_model_config_id"], row["last_reasoning_effort"]) == (other, "high")
    assert (new["id"], new["model_config_id"], new["reasoning_effort"]) == (instead, other, "high")
    draft = await chat.draft("again")
    async with chat.engine.begin() as conn:
        await conn.execute(update(model_configs).where(model_configs.c.id == other).values(enabled=False))
        await conn.execute(update(drafts).where(drafts.c.id == draft).values(reasoning_effort="low"))
    await change_model(chat, is_default=True)
    await chat.commit(MessageEdited(draft, instead))
    row = await chat.row()
    assert (row["last_model_config_id"], row["last_reasoning_effort"]) == (chat.model, "low")


async def test_an_effort_travels_through_the_queue_and_stays_until_another_is_named(chat: ChatRows):
    await chat.write(StateName.R1, queued=0, open_calls=False)
    draft = await chat.draft("hard")
    async with chat.engine.begin() as conn:
        await conn.execute(update(drafts).where(drafts.c.id == draft).values(reasoning_effort="xhigh"))
        await conn.execute(update(chats).where(chats.c.id == chat.chat).values(status="running", queued=0))
    await chat.commit(MessageSent(draft, BusyBehavior.QUEUE))
    assert (await chat.row())["last_reasoning_effort"] is None
    await chat.commit(TurnEnded(), "ended")
    assert (await chat.row())["last_reasoning_effort"] == "xhigh"
    await chat.commit(MessageSent(await chat.draft("next"), BusyBehavior.QUEUE), "next")
    await chat.commit(TurnEnded(), "ended again")
    assert (await chat.row())["last_reasoning_effort"] == "xhigh"
    assert [row["reasoning_effort"] for row in await chat.history()] == ["xhigh", "xhigh"]


async def test_a_chosen_head_goes_before_all_others_again_and_again(chat: ChatRows):
    await chat.write(StateName.R1, queued=3)
    await chat.commit(QueuedPromoted(await chat.last_queued()))
    assert await chat.waiting() == ["queued 2", "queued 0", "queued 1"]
    await chat.commit(QueuedPromoted(await chat.last_queued() - 1), "second")
    assert await chat.waiting() == ["queued 1", "queued 2", "queued 0"]
    await chat.commit(MessageSent(await chat.draft("new"), BusyBehavior.QUEUE), "send")
    assert await chat.waiting() == ["queued 1", "queued 2", "queued 0", "new"]
    stopped = await chat.commit(StepStopped(), "stopped")
    assert stopped.state.name is StateName.R1
    assert await chat.texts() == ["tool call_1", "queued 1"]


async def test_a_message_that_left_the_queue_meanwhile_is_not_there(chat: ChatRows):
    await chat.write(StateName.R1)
    other = await new_chat(chat.engine)
    await other.write(StateName.R1)
    before = await chat.row()
    for queued in (await other.last_queued(), 2**62):
        assert (await chat.commit(QueuedDeleted(queued))).verdict is Verdict.NOT_IN_QUEUE
        assert (await chat.commit(QueuedPromoted(queued))).verdict is Verdict.NOT_IN_QUEUE
    assert await chat.row() == before
    assert len(await other.waiting()) == 2


@pytest.mark.parametrize(("queued", "name"), [(0, StateName.E0), (2, StateName.E1)])
async def test_a_chat_in_no_valid_state_is_brought_back_with_its_queue(
    chat: ChatRows, queued: int, name: StateName
):
    await chat.write(StateName.A1, queued=queued, calls=[THEIRS, ToolCallRef(id="ours", name="t")])
    async with chat.engine.begin() as conn:
        damage = {"archived": True, "queued": 7, "steering": 3, "compaction_due": "threshold"}
        await conn.execute(update(chats).where(chats.c.id == chat.chat).values(damage))
    receipt = await chat.commit(InvalidStateReconciled())
    row = await chat.row()
    assert receipt.state.name is name
    assert (row["archived"], row["queued"], row["steering"]) == (False, queued, 0)
    assert (row["requires_action_deadline_at"], row["compaction_due"]) == (None, None)
    assert "invalid state" in row["last_error"]["message"]
    assert await chat.texts() == ["tool call_1"]
    assert [call.id for call in receipt.state.open_calls] == ["ours"]
    sent = await chat.commit(MessageSent(await chat.draft("hello"), BusyBehavior.QUEUE), "send")
    assert sent.state.open_calls == ()
    assert (await chat.texts())[1] == "tool ours"
