"""Idle chats are archived and old ones deleted, by an API that looks all the time."""

from collections.abc import AsyncGenerator

import pytest
from temporalio.client import Client

from activities.providers.demo import DemoModel, script_block
from api.temporal_gateway import CommandRejected, TemporalGateway
from cli.stack import Stack
from models.store.retention import read_idle
from models.turns import SetArchived
from tests.durable.caller import Caller
from tests.durable.histories import runs
from tests.durable.processes import another_api
from tests.durable.rows import Rows, until

DAYS, AUTO = "/chats/config/retention-days", "/chats/config/auto-archive-days"


@pytest.fixture
async def tidy(perdure: Stack, caller: Caller) -> AsyncGenerator[Caller]:
    """Ours are the only chats that are old."""
    async with another_api(perdure, PERDURE_RETENTION_INTERVAL_SECONDS="0.1"):
        yield caller
        await caller.v2.put(AUTO, json={"auto_archive_days": 0})


async def rested(caller: Caller) -> str:
    chat = await caller.create("hello")
    await caller.read(chat).rested()
    return chat


async def grow_old(rows: Rows, chat: str, days: int) -> None:
    await rows.change(
        "UPDATE chats SET updated_at = now() - make_interval(days => :days) WHERE id = :chat",
        days=days,
        chat=chat,
    )


async def test_an_idle_chat_is_archived_and_then_deleted(tidy: Caller, rows: Rows, temporal: Client):
    idle, recent = await rested(tidy), await rested(tidy)
    await tidy.http.patch(f"{tidy.url}/{idle}", json={"title": "Kept to the end"})
    await grow_old(rows, idle, 11)
    await grow_old(rows, recent, 9)
    assert (await tidy.v2.put(AUTO, json={"auto_archive_days": 10})).status_code == 204
    await rows.until("SELECT 1 FROM chats WHERE id = :chat AND archived", chat=idle)
    assert (await tidy.http.get(f"{tidy.url}/{idle}")).json()["title"] == "Kept to the end"
    assert (await tidy.http.get(f"{tidy.url}/{recent}")).json()["archived"] is False
    told = (await tidy.v2.get("/audit", params={"target_id": idle, "limit": 1})).json()["audit_logs"]
    assert [(line["user_id"], line["changes"]) for line in told] == [(None, {"archived": True})]

    await grow_old(rows, idle, 31)
    await rows.until("SELECT 1 WHERE NOT EXISTS (SELECT FROM chats WHERE id = :chat)", chat=idle)
    assert (await tidy.http.get(f"{tidy.url}/{idle}")).status_code == 404
    assert (await tidy.try_to_send(idle, "still there?")).status_code == 404

    async def ended() -> list[bool]:
        """Behind the rows."""
        return [] if any(run.close_time is None for run in await runs(temporal, idle)) else [True]

    await until(ended)


async def test_who_comes_back_behind_the_look_for_idle_chats_keeps_the_chat(
    caller: Caller, rows: Rows, temporal: Client
):
    chat = await rested(caller)
    await grow_old(rows, chat, 11)
    (seen,) = [one for one in await read_idle(rows.engine, 10, after=None, limit=100) if str(one.id) == chat]
    await caller.send(chat, "still there?")
    await caller.read(chat).rested(2)
    gateway = TemporalGateway(
        temporal, task_queue="perdure", command_timeout_seconds=20, idle_seconds=60, events_per_run=1000
    )
    argument = SetArchived(archived=True, only_in_turn=seen.state.turn)
    with pytest.raises(CommandRejected):
        await gateway.command(seen, "set_archived", argument, update_id="archive what was idle")
    assert (await caller.http.get(f"{caller.url}/{chat}")).json()["archived"] is False
    await rows.sound(chat)


async def test_a_chat_at_work_is_not_put_away(tidy: Caller, rows: Rows, model: DemoModel):
    step = {"text": "one two", "pieces": 2, "hold": {"name": "at-work", "after_pieces": 1}}
    busy, idle = await tidy.create(script_block(step)), await rested(tidy)
    await model.reached("at-work")
    for chat in (busy, idle):
        await grow_old(rows, chat, 11)
    assert (await tidy.v2.put(AUTO, json={"auto_archive_days": 10})).status_code == 204
    await rows.until("SELECT 1 FROM chats WHERE id = :chat AND archived", chat=idle)
    assert (await tidy.http.get(f"{tidy.url}/{busy}")).json()["archived"] is False
    await tidy.v2.put(AUTO, json={"auto_archive_days": 0})
    model.release("at-work")
    await tidy.read(busy).rested()
