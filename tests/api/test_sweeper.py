"""The sweeper puts right what a dead door left behind."""

from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey

from api.sweeper import Sweeper
from api.temporal_gateway import TemporalGateway
from cli.stack import Stack
from models.ids import chat_workflow_id
from models.store.chats import sweep_lock
from models.store.drafts import NewDraft, store_draft
from models.store.tables import chats, drafts
from runtime.temporal import connect_temporal
from tests.api.conftest import Door
from tests.api.served import Body, text


async def old_draft(door: Door, chat: Body) -> UUID:
    draft = await store_draft(
        door.engine,
        chat_id=UUID(chat["id"]),
        created_by=door.owner.caller.user_id,
        new=NewDraft(content=text("x"), request_hash="h"),
    )
    async with door.engine.begin() as conn:
        hour = func.make_interval(0, 0, 0, 0, 1)
        await conn.execute(update(drafts).where(drafts.c.id == draft.id).values(created_at=func.now() - hour))
        await conn.execute(
            update(chats).where(chats.c.id == UUID(chat["id"])).values(updated_at=func.now() - hour)
        )
    return draft.id


async def test_old_drafts_are_withdrawn_and_chats_without_a_workflow_started(
    door: Door, stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", stack.temporal_address)
    client = await connect_temporal()
    gateway = TemporalGateway(
        client, task_queue="nobody", command_timeout_seconds=1, idle_seconds=60, events_per_run=1000
    )
    sweeper = Sweeper(door.engine, gateway, interval_seconds=3600, age_seconds=1800)
    chat = await door.create()
    handle = client.get_workflow_handle(chat_workflow_id(UUID(chat["id"])))
    await handle.terminate("as if Temporal had been away")
    draft = await old_draft(door, chat)

    async def state() -> str | None:
        async with door.engine.connect() as conn:
            return await conn.scalar(select(drafts.c.state).where(drafts.c.id == draft))

    async with sweep_lock(door.engine) as held:
        assert held is not None
        await sweeper.sweep()  # another replica is at it
        assert await state() == "pending"
    await sweeper.sweep()
    assert await state() == "withdrawn"
    description = await handle.describe()
    assert description.status is WorkflowExecutionStatus.RUNNING
    attributes = description.typed_search_attributes
    owner = str(door.owner.caller.user_id)
    expected = {"PerdureModel": "perdure-demo", "PerdureStatus": "active", "PerdureOwner": owner}
    for name, value in expected.items():
        assert attributes.get(SearchAttributeKey.for_keyword(name)) == value
    assert "hello" not in str(description.raw_description)
