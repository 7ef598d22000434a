"""A root and the chats below it are archived and unarchived together, or not at all."""

from typing import Any

import pytest
from sqlalchemy import update

from models.chat_state import StateName
from models.store.bundle import read_state
from models.store.tables import chats
from models.store.transitions import commit_transition
from models.turns import BusyBehavior, Commit, Verdict
from tests.models.store.rows import ChatRows
from workflows.chat.events import ArchivedSet, MessageSent
from workflows.chat.machine import decide


async def below(root: ChatRows, name: StateName) -> ChatRows:
    """A chat of a subagent of this root."""
    child = ChatRows(root.engine, root.organization, root.owner, root.model)
    await child.write(name, open_calls=False)
    async with root.engine.begin() as conn:
        await conn.execute(
            update(chats)
            .where(chats.c.id == child.chat)
            .values(parent_chat_id=root.chat, root_chat_id=root.chat)
        )
    return child


async def test_a_family_is_archived_and_unarchived_together(chat: ChatRows):
    await chat.write(StateName.E1, open_calls=False)
    members = [await below(chat, name) for name in (StateName.W, StateName.E0, StateName.XE1)]
    await chat.commit(ArchivedSet(True))
    rows = [await member.row() for member in (chat, *members)]
    assert [row["archived"] for row in rows] == [True] * 4
    assert [row["snapshot_version"] for row in rows] == [11] * 4, "also of the one that was archived"
    assert [row["status"] for row in rows] == ["error", "waiting", "error", "error"]
    await chat.commit(ArchivedSet(False), "back")
    rows = [await member.row() for member in (chat, *members)]
    assert [(row["archived"], row["snapshot_version"]) for row in rows] == [(False, 12)] * 4


@pytest.mark.parametrize(
    ("name", "damage", "verdict"),
    [
        (StateName.R0, {}, Verdict.FAMILY_BUSY),
        (StateName.A1, {}, Verdict.FAMILY_BUSY),
        (StateName.XW, {"queued": 1}, Verdict.FAMILY_INVALID),
        (StateName.R0, {"archived": True}, Verdict.FAMILY_INVALID),
    ],
)
async def test_one_member_that_cannot_follow_keeps_all_as_they_are(
    chat: ChatRows, name: StateName, damage: dict[str, Any], verdict: Verdict
):
    await chat.write(StateName.W, open_calls=False)
    members = [await below(chat, StateName.W), await below(chat, name)]
    if damage:
        async with chat.engine.begin() as conn:
            await conn.execute(update(chats).where(chats.c.id == members[1].chat).values(damage))
    before = [await member.row() for member in (chat, *members)]
    assert (await chat.commit(ArchivedSet(True))).verdict is verdict
    assert [await member.row() for member in (chat, *members)] == before


async def test_a_command_of_a_member_s_own_workflow_is_stale_after_the_family_moved(chat: ChatRows):
    await chat.write(StateName.W, open_calls=False)
    member = await below(chat, StateName.W)
    write = decide(
        await read_state(member.engine, member.chat),
        MessageSent(await member.draft(), BusyBehavior.QUEUE),
    )
    await chat.commit(ArchivedSet(True))
    receipt = await commit_transition(
        member.engine, Commit(chat_id=member.chat, command_id="late", write=write)
    )
    assert (receipt.verdict, receipt.state.name) == (Verdict.STALE, StateName.XW)
