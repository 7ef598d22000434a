"""What is deleted because it is old, and what stays."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import Table, func, insert, select, update
from temporalio.client import WorkflowExecutionStatus

from api.files.keeper import FileKeeper
from api.retention import Retention
from api.services import Services
from cli.stack import Stack
from models.ids import chat_workflow_id
from models.inbox import TURN_FINISHED
from models.permissions import SiteRole
from models.store import retention as store
from models.store.audit import Change
from models.store.blobs import PostgresBlobs
from models.store.drafts import NewDraft, store_draft
from models.store.reading import transaction
from models.store.tables import blobs, chats, drafts, files, inbox_notifications, messages, tool_results
from runtime.temporal import connect_temporal
from tests.api.conftest import Door
from tests.api.histories import add_child, archive, change, say
from tests.api.served import Body, person, text
from tests.durable.rows import until

DAYS, AUTO = "/chats/config/retention-days", "/chats/config/auto-archive-days"


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


@dataclass
class Keeping:
    """A sweep on this API's parts, and an owner of the site who says what it does."""

    retention: Retention
    http: httpx2.AsyncClient

    async def put(self, path: str, days: int) -> None:
        answer = await self.http.put(path, json={path.rpartition("/")[2].replace("-", "_"): days})
        assert answer.status_code == 204, answer.text

    async def sweep(self) -> None:
        await self.retention.sweep()


@pytest.fixture
async def keeping(door: Door) -> AsyncGenerator[Keeping]:
    services: Services = door.served.app.state.services
    retention = Retention(
        services.engine,
        services.gateway,
        services.configuration,
        interval_seconds=3600,
        receipt_days=30,
        notification_days=90,
    )
    async with person(
        door.engine, door.served.url, door.organization, "site", site_role=SiteRole.OWNER
    ) as site:
        keeping = Keeping(retention, site.http)
        yield keeping
        await keeping.put(DAYS, 30)
        await keeping.put(AUTO, 0)


async def archived(door: Door, days_ago: float, **columns: object) -> Body:
    """A chat that was archived so long ago."""
    chat = await door.create()
    await archive(door, chat, f"archive {chat['id']}")
    await change(door, chat, updated_at=ago(days_ago), **columns)
    return chat


async def is_there(door: Door, chat: Body) -> bool:
    return (await door.owner.http.get(f"/chats/{chat['id']}")).status_code == 200


async def count(door: Door, table: Table, chat: Body) -> int:
    async with door.engine.connect() as conn:
        query = select(func.count()).where(table.c.chat_id == UUID(chat["id"]))
        return (await conn.execute(query)).scalar_one()


async def test_an_archived_chat_is_deleted_when_its_days_are_over(door: Door, keeping: Keeping):
    old, young = await archived(door, 31), await archived(door, 29)
    await say(door, old, "words that nobody will read again")
    await keeping.sweep()
    assert not await is_there(door, old)
    assert await is_there(door, young)
    assert await count(door, messages, old) == 0
    await keeping.put(DAYS, 28)
    await keeping.sweep()
    assert not await is_there(door, young)


async def test_chats_that_are_not_archived_stay_however_old(door: Door, keeping: Keeping):
    chat = await door.create()
    await change(door, chat, status="waiting", updated_at=ago(4000))
    await keeping.sweep()
    assert await is_there(door, chat)


async def test_nothing_is_deleted_where_retention_is_off(door: Door, keeping: Keeping):
    chat = await archived(door, 4000)
    await keeping.put(DAYS, 0)
    await keeping.sweep()
    assert await is_there(door, chat)


async def test_the_chats_below_go_with_their_root_and_never_without_it(door: Door, keeping: Keeping):
    root = await archived(door, 31)
    child = await add_child(door, root, updated_at=ago(31))
    other = await archived(door, 29)
    its_child = await add_child(door, other, updated_at=ago(31))
    await keeping.sweep()
    assert [await is_there(door, chat) for chat in (root, child)] == [False, False]
    assert [await is_there(door, chat) for chat in (other, its_child)] == [True, True]


@pytest.mark.parametrize("where", ["root", "child"])
async def test_a_family_in_an_invalid_state_waits_for_somebody_to_reconcile_it(
    door: Door, keeping: Keeping, where: str
):
    root = await archived(door, 31, status="running" if where == "root" else "waiting")
    status = "running" if where == "child" else "waiting"
    await add_child(door, root, status=status, updated_at=ago(31))
    await keeping.sweep()
    assert await is_there(door, root)
    await change(door, root, status="waiting")  # leave nothing behind that is never swept


async def test_who_comes_back_to_a_chat_in_the_last_moment_keeps_it(door: Door):
    chat = await archived(door, 31)
    found = await store.read_expired(door.engine, 30, after=None, limit=1000)
    assert chat["id"] in {str(one.id) for one in found}
    await archive(door, chat, f"back {chat['id']}", archived=False)
    deletion = Change(None, "", "delete", "chat", chat["id"])
    assert not await store.delete_family(door.engine, UUID(chat["id"]), 30, deletion)
    assert await is_there(door, chat)


async def test_expired_chats_are_read_bite_by_bite(door: Door):
    made = {(await archived(door, 31 + number))["id"] for number in range(5)}
    seen: list[str] = []
    after = None
    while found := await store.read_expired(door.engine, 30, after=after, limit=2):
        seen += [str(chat.id) for chat in found]
        after = (found[-1].updated_at, found[-1].id)
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


async def test_its_files_go_with_their_bytes(door: Door, keeping: Keeping):
    upload = await door.owner.http.post(
        "/chats/files",
        params={"organization": str(door.organization)},
        content=b"# Notes",
        headers={"Content-Disposition": 'attachment; filename="a.md"', "Content-Type": "text/markdown"},
    )
    file = UUID(upload.json()["id"])
    chat = await door.create(content=[*text("look"), {"type": "file", "file_id": str(file)}])
    await archive(door, chat)
    await change(door, chat, updated_at=ago(31))
    await keeping.sweep()
    assert (await door.owner.http.get(f"/chats/files/{file}")).status_code == 404
    await FileKeeper(door.engine, PostgresBlobs(door.engine), unused_days=7).purge()
    async with door.engine.connect() as conn:
        assert await conn.scalar(select(blobs.c.id).where(blobs.c.id == file)) is None
        assert await conn.scalar(select(files.c.id).where(files.c.id == file)) is None


async def test_its_workflow_has_ended(
    door: Door, keeping: Keeping, stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", stack.temporal_address)
    client = await connect_temporal()
    chat = await archived(door, 31)
    handle = client.get_workflow_handle(chat_workflow_id(UUID(chat["id"])))
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await keeping.sweep()
    assert (await handle.describe()).status is WorkflowExecutionStatus.TERMINATED
    assert not await is_there(door, chat)


async def test_who_comes_back_while_the_sweep_runs_keeps_the_workflow_too(
    door: Door, keeping: Keeping, stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", stack.temporal_address)
    client = await connect_temporal()
    chat = await archived(door, 31)
    handle = client.get_workflow_handle(chat_workflow_id(UUID(chat["id"])))
    async with door.engine.connect() as conn, transaction(door.engine) as coming_back:
        await coming_back.execute(update(chats).where(chats.c.id == UUID(chat["id"])).values(archived=False))
        sweeping = asyncio.create_task(keeping.sweep())

        async def waits_for_the_row() -> list[Any]:
            asked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            return list(await conn.exec_driver_sql(asked))

        await until(waits_for_the_row)
    await sweeping
    assert await is_there(door, chat)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_a_chat_whose_workflow_is_gone_already_is_deleted_all_the_same(door: Door, keeping: Keeping):
    chat = await archived(door, 31)
    services: Services = door.served.app.state.services
    await services.gateway.end_chat(UUID(chat["id"]), "the chat is deleted")
    await keeping.sweep()
    assert not await is_there(door, chat)
    await keeping.sweep()
    await services.gateway.end_chat(uuid4(), "there is none")


async def test_the_deletion_is_told_in_the_audit_log_without_a_word_of_the_chat(door: Door, keeping: Keeping):
    chat = await archived(door, 31)
    await keeping.sweep()
    told = (await keeping.http.get("/audit", params={"target_id": chat["id"]})).json()["audit_logs"]
    assert [(line["action"], line["user_id"], line["target_name"]) for line in told] == [("delete", None, "")]


async def draft(door: Door, chat: Body, state: str, days_ago: float) -> UUID:
    new = NewDraft(content=text("x"), request_hash="h", idempotency_key=str(uuid4()))
    made = await store_draft(
        door.engine, chat_id=UUID(chat["id"]), created_by=door.owner.caller.user_id, new=new
    )
    async with door.engine.begin() as conn:
        await conn.execute(
            update(drafts).where(drafts.c.id == made.id).values(state=state, created_at=ago(days_ago))
        )
    return made.id


async def test_receipts_are_forgotten_and_what_is_on_its_way_is_not(door: Door, keeping: Keeping):
    chat = await door.create()
    kept = {
        await draft(door, chat, "delivered", 29),
        await draft(door, chat, "withdrawn", 29),
        await draft(door, chat, "pending", 31),
    }
    for state in ("delivered", "withdrawn"):
        await draft(door, chat, state, 31)
    await keeping.sweep()
    async with door.engine.connect() as conn:
        left = await conn.execute(select(drafts.c.id).where(drafts.c.chat_id == UUID(chat["id"])))
        assert set(left.scalars()) == kept


async def test_much_is_forgotten_in_bites(door: Door):
    chat = await door.create()
    for _ in range(5):
        await draft(door, chat, "delivered", 31)
    forgotten = [await store.forget_receipts(door.engine, 30, limit=2) for _ in range(4)]
    assert forgotten[:2] == [2, 2]
    assert forgotten[-1] == 0
    assert await count(door, drafts, chat) == 0


async def notification(door: Door, chat: Body, turn: int, days_ago: float, *, read: bool) -> None:
    values = {
        "id": uuid4(),
        "user_id": door.owner.caller.user_id,
        "chat_id": UUID(chat["id"]),
        "turn": turn,
        "template_id": TURN_FINISHED,
        "title": str(turn),
        "content": "c",
        "created_at": ago(days_ago),
        "read_at": func.now() if read else None,
    }
    async with door.engine.begin() as conn:
        await conn.execute(insert(inbox_notifications).values(values))


async def test_old_notifications_go_once_they_were_read(door: Door, keeping: Keeping):
    chat = await door.create()
    await notification(door, chat, 1, 91, read=True)
    await notification(door, chat, 2, 89, read=True)
    await notification(door, chat, 3, 4000, read=False)
    await keeping.sweep()
    inbox = (await door.owner.http.get("/notifications/inbox")).json()
    assert [one["title"] for one in inbox["notifications"]] == ["2", "3"]
    assert inbox["unread_count"] == 1


async def add_to_ledger(door: Door, chat: Body) -> None:
    part = {"type": "tool-result", "tool_call_id": "c", "tool_name": "t", "result": 1}
    row = {"chat_id": UUID(chat["id"]), "turn": 1, "step": 1, "tool_call_id": "c", "status": "finished"}
    async with door.engine.begin() as conn:
        await conn.execute(insert(tool_results).values(**row, part=part, place=1))


async def test_ledgers_go_with_archived_chats_that_need_them_no_more(door: Door, keeping: Keeping):
    await keeping.put(DAYS, 0)
    settled, fresh = await archived(door, 31), await archived(door, 29)
    opened = await archived(door, 31, open_calls=[{"id": "c", "name": "t"}])
    in_use = await door.create()
    await change(door, in_use, status="waiting", updated_at=ago(31))
    every = (settled, fresh, opened, in_use)
    for chat in every:
        await add_to_ledger(door, chat)
    await keeping.sweep()
    assert [await count(door, tool_results, chat) for chat in every] == [0, 1, 1, 1]
    assert await is_there(door, settled)


async def idle(door: Door) -> set[str]:
    return {str(chat.id) for chat in await store.read_idle(door.engine, 10, after=None, limit=1000)}


async def test_chats_at_which_nothing_happens_are_found_to_be_archived(door: Door):
    made = {name: await door.create(name) for name in ("idle", "failed", "busy", "recent", "pinned", "away")}
    for name, status in (("failed", "error"), ("busy", "running")):
        await change(door, made[name], status=status, updated_at=ago(11))
    for name in ("idle", "away", "pinned"):
        await change(door, made[name], status="waiting", updated_at=ago(11))
    await change(door, made["pinned"], pin_order=1)
    await change(door, made["recent"], status="waiting", updated_at=ago(9))
    await change(door, made["away"], archived=True)
    found = await idle(door)
    assert {name for name, chat in made.items() if chat["id"] in found} == {"idle", "failed"}


@pytest.mark.parametrize(
    ("status", "days", "counts"), [("running", 11, 0), ("waiting", 9, 0), ("waiting", 11, 1)]
)
async def test_a_family_is_idle_when_all_of_it_is(door: Door, status: str, days: int, counts: int):
    root = await door.create()
    await change(door, root, status="waiting", updated_at=ago(11))
    child = await add_child(door, root, status=status, updated_at=ago(days))
    found = await idle(door)
    assert [chat["id"] in found for chat in (root, child)] == [bool(counts), False]


async def test_nobody_is_archived_unless_it_is_asked_for(door: Door, keeping: Keeping):
    chat = await door.create()
    await change(door, chat, status="waiting", updated_at=ago(4000))
    await keeping.sweep()
    assert (await door.owner.http.get(f"/chats/{chat['id']}")).json()["archived"] is False


@pytest.mark.parametrize(("path", "usual"), [(DAYS, 30), (AUTO, 0)])
async def test_the_days_have_bounds(door: Door, keeping: Keeping, path: str, usual: int):
    field = path.rpartition("/")[2].replace("-", "_")
    assert (await door.owner.http.get(path)).json() == {field: usual}
    for wrong in ({field: -1}, {field: 3651}, {field: "x"}, {field: None}, {field: 1.5}, {}):
        answer = await keeping.http.put(path, json=wrong)
        assert answer.status_code == 400, wrong
        assert answer.json()["validations"][0]["field"] == field
    assert (await door.owner.http.put(path, json={field: 1})).status_code == 403
    assert (await door.owner.http.get(path)).json() == {field: usual}
    for days in (3650, 0):
        await keeping.put(path, days)
        assert (await door.owner.http.get(path)).json() == {field: days}
