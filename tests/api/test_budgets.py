"""Budgets by HTTP: set, told, obeyed at the doors, and removed."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import func, select

from models.spending import Bill, PaidCall, Payer, SpentOn
from models.store.spending import settle
from models.store.tables import chats, drafts, messages
from tests.api.conftest import Door
from tests.api.people import People
from tests.api.served import Body, text


@pytest.fixture
def admin(people: People) -> httpx2.AsyncClient:
    return people.http("org-admin")


def path(door: Door) -> str:
    return f"/organizations/{door.organization}/budgets"


async def limit(
    door: Door, admin: httpx2.AsyncClient, micros: int, period: str = "total", **whose: Any
) -> Body:
    answer = await admin.put(path(door), json={"period": period, "limit_micros": micros, **whose})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def spend(door: Door, chat: Body, micros: int) -> None:
    chat_id = UUID(chat["id"])
    payer = Payer(door.organization, door.owner.caller.user_id, chat_id, chat_id)
    call = PaidCall(SpentOn.STEP, "demo", "perdure-demo", turn=1, step=1)
    await settle(door.engine, Bill(payer, call, {"output_tokens": 1}, micros))


async def count(door: Door, table: Any) -> int:
    async with door.engine.connect() as conn:
        return (await conn.execute(select(func.count()).select_from(table))).scalar_one()


async def test_pots_of_others_do_not_concern_a_chat(door: Door, admin: httpx2.AsyncClient):
    chat, other = await door.create(), await door.create()
    await limit(door, admin, 0, "day", user_id=str(door.other.caller.user_id))
    await limit(door, admin, 0, chat_id=other["id"])
    await limit(door, admin, 1, "month")
    answer = await door.owner.http.post(f"/chats/{chat['id']}/messages", json={"content": text("more")})
    assert answer.status_code == 503, "it was let in, and there is no worker here"


async def test_a_budget_is_set_told_changed_and_removed(door: Door, admin: httpx2.AsyncClient):
    chat = await door.create()
    await spend(door, chat, 30)
    user = str(door.owner.caller.user_id)
    whole = await limit(door, admin, 1000, "month")
    own = await limit(door, admin, 500, "day", user_id=user)
    one = await limit(door, admin, 100, chat_id=chat["id"])
    told = (await admin.get(path(door))).json()
    assert [budget["id"] for budget in told] == [whole["id"], own["id"], one["id"]]
    assert [(b["scope"], b["period"], b["consumed_micros"]) for b in told] == [
        ("organization", "month", 30),
        ("user", "day", 30),
        ("chat", "total", 30),
    ]
    assert (told[1]["username"], told[2]["chat_id"]) == (door.owner.caller.username, chat["id"])
    again = await limit(door, admin, 40, chat_id=chat["id"])
    assert (again["id"], again["limit_micros"], again["consumed_micros"]) == (one["id"], 40, 30)
    assert (await admin.delete(f"{path(door)}/{one['id']}")).status_code == 204
    assert (await admin.delete(f"{path(door)}/{one['id']}")).status_code == 404
    assert len((await admin.get(path(door))).json()) == 2


async def test_who_set_a_budget_is_in_the_audit_log(door: Door, admin: httpx2.AsyncClient):
    budget = await limit(door, admin, 1000, "month")
    await admin.delete(f"{path(door)}/{budget['id']}")
    params = {"organization_id": str(door.organization), "target_type": "budget"}
    lines = (await admin.get("/audit", params=params)).json()["audit_logs"]
    assert [(line["action"], line["target_id"]) for line in lines] == [
        ("delete", budget["id"]),
        ("write", budget["id"]),
    ]
    assert lines[1]["changes"] == {"period": "month", "limit_micros": 1000}


async def test_what_is_no_budget_is_refused_and_sets_none(
    door: Door, people: People, admin: httpx2.AsyncClient
):
    chat = await door.create()
    stranger = str(people.id("other-tenant"))
    for body, field in (
        ({"period": "week", "limit_micros": 1}, "period"),
        ({"period": "day", "limit_micros": -1}, "limit_micros"),
        ({"period": "day", "limit_micros": 10**16}, "limit_micros"),
        ({"period": "day", "limit_micros": 1, "chat_id": chat["id"]}, "body"),
        ({"period": "total", "limit_micros": 1, "chat_id": chat["id"], "user_id": stranger}, "body"),
        ({"period": "day", "limit_micros": 1, "user_id": stranger}, "user_id"),
        ({"period": "total", "limit_micros": 1, "chat_id": str(uuid4())}, "chat_id"),
    ):
        answer = await admin.put(path(door), json=body)
        assert answer.status_code == 400, body
        assert answer.json()["validations"][0]["field"] == field
    assert (await admin.get(path(door))).json() == []


async def test_an_empty_pot_refuses_messages_edits_and_chats_before_anything_is_written(
    door: Door, admin: httpx2.AsyncClient
):
    chat = await door.create()
    (first,) = (await door.owner.http.get(f"/chats/{chat['id']}/messages")).json()["messages"]
    await spend(door, chat, 150)
    await limit(door, admin, 150, "day", user_id=str(door.owner.caller.user_id))
    before = [await count(door, table) for table in (chats, messages, drafts)]
    messages_path = f"/chats/{chat['id']}/messages"
    for answer in (
        await door.owner.http.post(messages_path, json={"content": text("more")}),
        await door.owner.http.patch(f"{messages_path}/{first['id']}", json={"content": text("else")}),
        await door.owner.http.post(
            "/chats", json={"organization_id": str(door.organization), "content": text("new")}
        ),
    ):
        assert answer.status_code == 409, answer.text
        body = answer.json()
        assert (body["limit_micros"], body["consumed_micros"]) == (150, 150)
        assert "daily budget of this user is used up" in body["message"]
    assert [await count(door, table) for table in (chats, messages, drafts)] == before


async def test_a_repetition_of_a_chat_that_was_made_is_answered_all_the_same(
    door: Door, admin: httpx2.AsyncClient
):
    body = {"organization_id": str(door.organization), "content": text("once")}
    key = {"Idempotency-Key": str(uuid4())}
    made = await door.owner.http.post("/chats", json=body, headers=key)
    assert made.status_code == 201
    await limit(door, admin, 0)
    again = await door.owner.http.post("/chats", json=body, headers=key)
    assert (again.status_code, again.json()["id"]) == (201, made.json()["id"])
    assert (await door.owner.http.post("/chats", json=body)).status_code == 409
