"""Tools that a client brings, and answers to calls that wait. No worker takes anything here."""

import json
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from api.schemas import Chat
from models.store.chats import read_unmoved
from models.store.tables import chats, drafts
from tests.api.conftest import Door
from tests.api.served import Body, text

CALLS = [
    {"id": "theirs", "name": "open_page", "client": True},
    {"id": "guarded", "name": "execute", "approval": "pending"},
]


async def awaiting(door: Door) -> Body:
    """A chat that waits for both kinds of action."""
    chat = await door.create()
    async with door.engine.begin() as conn:
        await conn.execute(
            update(chats)
            .where(chats.c.id == UUID(chat["id"]))
            .values(
                status="requires_action", step=1, open_calls=CALLS, requires_action_deadline_at=func.now()
            )
        )
    return chat


def result(call_id: str = "theirs", **more: object) -> Body:
    return {"tool_call_id": call_id, "output": {"shown": True}, **more}


def nested(levels: int) -> object:
    """Arrays in each other."""
    value: object = "deep"
    for _ in range(levels):
        value = [value]
    return value


def decision(call_id: str = "guarded", decision: str = "approve") -> Body:
    return {"tool_call_id": call_id, "decision": decision}


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("tool-results", {"results": []}, "results"),
        ("tool-results", {"results": [result("nobody")]}, "results[0].tool_call_id"),
        ("tool-results", {"results": [result("guarded")]}, "results[0].tool_call_id"),
        ("tool-results", {"results": [result(), result()]}, "results[1].tool_call_id"),
        ("tool-results", {"results": [{"tool_call_id": "theirs"}]}, "results[0].output"),
        ("tool-results", {"results": [result(output=2**70)]}, "results[0].output"),
        ("tool-results", {"results": [result(output=nested(101))]}, "results[0].output"),
        ("tool-results", {"results": [result(output={"half": "\ud83d"})]}, "results[0].output"),
        ("approvals", {"approvals": []}, "approvals"),
        ("approvals", {"approvals": [decision("theirs")]}, "approvals[0].tool_call_id"),
        ("approvals", {"approvals": [decision(), decision()]}, "approvals[1].tool_call_id"),
        ("approvals", {"approvals": [decision(decision="maybe")]}, "approvals[0].decision"),
    ],
)
async def test_an_answer_that_fits_no_call_is_not_stored(door: Door, what: str, body: Body, field: str):
    chat = await awaiting(door)
    for headers in ({}, {"Idempotency-Key": str(uuid4())}):
        response = await door.owner.http.post(
            f"/chats/{chat['id']}/{what}",
            content=json.dumps(body),  # which can spell what UTF-8 cannot
            headers={**headers, "Content-Type": "application/json"},
        )
        assert response.status_code == 400, response.text
        assert response.json()["validations"][0]["field"].startswith(field)
    async with door.engine.connect() as conn:
        pending = select(func.count()).where(
            drafts.c.chat_id == UUID(chat["id"]), drafts.c.state != "withdrawn"
        )
        assert await conn.scalar(pending) == 0


async def test_no_depth_of_nesting_is_too_much_for_an_answer(door: Door):
    chat = await awaiting(door)
    for levels in (300, 5_000, 60_000):
        deep = b'{"results": [{"tool_call_id": "theirs", "output": %b1%b}]}' % (b"[" * levels, b"]" * levels)
        answer = await door.owner.http.post(
            f"/chats/{chat['id']}/tool-results", content=deep, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, (levels, answer.text)


async def test_a_missing_result_is_named(door: Door):
    chat = await awaiting(door)
    two = [*CALLS, {"id": "other", "name": "open_page", "client": True}]
    async with door.engine.begin() as conn:
        await conn.execute(update(chats).where(chats.c.id == UUID(chat["id"])).values(open_calls=two))
    response = await door.owner.http.post(f"/chats/{chat['id']}/tool-results", json={"results": [result()]})
    assert response.status_code == 400
    assert "'other'" in response.json()["detail"]


@pytest.mark.parametrize(
    ("what", "body"),
    [("tool-results", {"results": [result()]}), ("approvals", {"approvals": [decision()]})],
)
async def test_who_may_answer_and_when(door: Door, what: str, body: Body):
    chat = await awaiting(door)
    assert (await door.other.http.post(f"/chats/{chat['id']}/{what}", json=body)).status_code == 404
    nobody_takes_it = await door.owner.http.post(f"/chats/{chat['id']}/{what}", json=body)
    assert nobody_takes_it.status_code == 503
    idle = await door.create()
    assert (await door.owner.http.post(f"/chats/{idle['id']}/{what}", json=body)).status_code == 409
    async with door.engine.begin() as conn:
        await conn.execute(
            update(chats).where(chats.c.id == UUID(idle["id"])).values(status="waiting", archived=True)
        )
    assert (await door.owner.http.post(f"/chats/{idle['id']}/{what}", json=body)).status_code == 400


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"unsafe_dynamic_tools": [{"name": "a"}, {"name": "a"}]}, "unsafe_dynamic_tools[1].name"),
        ({"unsafe_dynamic_tools": [{"name": ""}]}, "unsafe_dynamic_tools[0].name"),
        ({"unsafe_dynamic_tools": [{"name": "no spaces"}]}, "unsafe_dynamic_tools[0].name"),
        ({"unsafe_dynamic_tools": [{"name": f"t{n}"} for n in range(251)]}, "unsafe_dynamic_tools"),
        (
            {"unsafe_dynamic_tools": [{"name": "a", "input_schema": {"type": "array"}}]},
            "unsafe_dynamic_tools[0].input_schema",
        ),
        ({"unsafe_dynamic_tools": [{"name": "a", "input_schema": "x"}]}, "unsafe_dynamic_tools[0]"),
        ({"approval_required_tools": ["no spaces"]}, "approval_required_tools[0]"),
        ({"active_tools": ["execute", "no spaces"]}, "active_tools[1]"),
        ({"active_tools": "execute"}, "active_tools"),
        ({"active_tools": ["x"] * 251}, "active_tools"),
    ],
)
async def test_wrong_tools_are_refused(door: Door, fields: Body, field: str):
    body = {"organization_id": str(door.organization), "content": text("x"), **fields}
    response = await door.owner.http.post("/chats", json=body)
    assert response.status_code == 400, response.text
    assert response.json()["validations"][0]["field"].startswith(field)


async def test_tools_are_kept_with_the_chat(door: Door):
    tools: list[Body] = [
        {"name": f"t{n}", "description": "d", "inputSchema": {"required": []}} for n in range(250)
    ]
    chat = await door.create(unsafe_dynamic_tools=tools, approval_required_tools=["execute"])
    async with door.engine.connect() as conn:
        kept = await conn.scalar(select(chats.c.tools).where(chats.c.id == UUID(chat["id"])))
    assert kept is not None
    assert kept["approval_required"] == ["execute"]
    assert kept["dynamic"][7] == {"name": "t7", "description": "d", "input_schema": {"required": []}}


async def test_which_tools_are_active_is_said_at_first_and_changed_later(door: Door):
    theirs = [{"name": "theirs"}]
    chat = await door.create(active_tools=["execute", "read_file", "execute"], unsafe_dynamic_tools=theirs)
    path = f"/chats/{chat['id']}"

    async def active() -> object:
        shown = (await door.owner.http.get(path)).json()
        Chat.model_validate(shown)
        return shown.get("active_tools")

    assert await active() == ["execute", "read_file"]
    for names, told in ((["read_file"], ["read_file"]), ([], None), (["execute"], ["execute"])):
        changed = await door.owner.http.patch(path, json={"active_tools": names, "title": "tools"})
        assert (changed.status_code, await active()) == (204, told)
    assert (await door.owner.http.patch(path, json={"title": "other"})).status_code == 204
    assert await active() == ["execute"]
    async with door.engine.connect() as conn:
        kept = await conn.scalar(select(chats.c.tools).where(chats.c.id == UUID(chat["id"])))
    assert kept is not None
    assert [tool["name"] for tool in kept["dynamic"]] == ["theirs"], "the rest stays"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"active_tools": ["no spaces"]}, "active_tools[0]"),
        ({"active_tools": ["execute"], "archived": True}, "active_tools"),
    ],
)
async def test_wrong_active_tools_change_nothing(door: Door, change: Body, field: str):
    chat = await door.create()
    answer = await door.owner.http.patch(f"/chats/{chat['id']}", json={"title": "new", **change})
    assert answer.status_code == 400
    assert answer.json()["validations"][0]["field"] == field
    now = (await door.owner.http.get(f"/chats/{chat['id']}")).json()
    assert (now["title"], "active_tools" in now) == (chat["title"], False)
    assert (await door.other.http.patch(f"/chats/{chat['id']}", json={"active_tools": []})).status_code == 404


async def test_a_chat_that_waits_is_not_swept_before_its_deadline(door: Door):
    chat = await awaiting(door)
    hour = func.make_interval(0, 0, 0, 0, 1)

    async def unmoved(**columns: object) -> bool:
        async with door.engine.begin() as conn:
            await conn.execute(update(chats).where(chats.c.id == UUID(chat["id"])).values(**columns))
            found = await read_unmoved(conn, 1800, after=None, limit=1000)
        return chat["id"] in {str(record.id) for record in found}

    assert not await unmoved(updated_at=func.now() - hour, requires_action_deadline_at=func.now() + hour)
    assert await unmoved(requires_action_deadline_at=func.now() - hour)
