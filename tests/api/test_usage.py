"""Usage by HTTP: added up rightly, and told to nobody whom it does not concern."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from models.spending import Bill, PaidCall, Payer, SpendingState, SpentOn
from models.store.spending import settle
from models.store.tables import spendings
from tests.api.conftest import Door
from tests.api.people import People
from tests.api.served import Body

USAGE = {"input_tokens": 100, "output_tokens": 20, "reasoning_tokens": 5, "cache_read_tokens": 7}


async def spend(
    door: Door,
    user: UUID,
    micros: int | None,
    *,
    chat: UUID | None = None,
    model: str = "perdure-demo",
    days_ago: int = 0,
    organization: UUID | None = None,
) -> None:
    payer = Payer(organization or door.organization, user, chat, chat)
    call = PaidCall(SpentOn.STEP, "demo", model)
    await settle(door.engine, Bill(payer, call, USAGE, micros))
    when = datetime.now(UTC) - timedelta(days=days_ago)
    async with door.engine.begin() as conn:
        await conn.execute(update(spendings).where(spendings.c.id == call.id).values(created_at=when))


async def usage(door: Door, whom: Any = None, **params: Any) -> Body:
    http = (whom or door.owner).http
    answer = await http.get("/chats/usage", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_days_are_added_up_in_their_order(door: Door):
    me = door.owner.caller.user_id
    await spend(door, me, 10, days_ago=3)
    await spend(door, me, 5)
    await spend(door, me, None, days_ago=3)
    report = await usage(door)
    first, last = report["rows"]
    assert first["day"] < last["day"]
    assert (first["requests"], first["unpriced_requests"], first["cost_micros"]) == (2, 1, 10)
    assert (last["requests"], last["unpriced_requests"], last["cost_micros"]) == (1, 0, 5)
    total = report["total"]
    assert (total["requests"], total["cost_micros"], total["input_tokens"]) == (3, 15, 300)
    assert (total["output_tokens"], total["reasoning_tokens"], total["cache_read_tokens"]) == (60, 15, 21)


async def test_models_and_chats_come_the_dearest_first(door: Door):
    me, chat = door.owner.caller.user_id, uuid4()
    await spend(door, me, 10, model="small")
    await spend(door, me, 90, model="large", chat=chat)
    rows = (await usage(door, group_by="model"))["rows"]
    assert [(row["model"], row["provider"], row["cost_micros"]) for row in rows] == [
        ("large", "demo", 90),
        ("small", "demo", 10),
    ]
    rows = (await usage(door, group_by="chat"))["rows"]
    assert [(row.get("chat_id"), row["cost_micros"]) for row in rows] == [(str(chat), 90), (None, 10)]
    assert (await usage(door, chat_id=str(chat)))["total"]["cost_micros"] == 90


async def test_the_total_is_over_all_rows_also_where_there_are_more(door: Door):
    for number in range(3):
        await spend(door, door.owner.caller.user_id, 1, model=f"m{number}")
    report = await usage(door, group_by="model", limit=2)
    assert (len(report["rows"]), report["has_more"], report["total"]["cost_micros"]) == (2, True, 3)
    assert not (await usage(door, group_by="model", limit=3))["has_more"]


async def test_only_what_lies_between_the_moments_counts(door: Door):
    me = door.owner.caller.user_id
    await spend(door, me, 1, days_ago=40)
    await spend(door, me, 2, days_ago=5)
    assert (await usage(door))["total"]["cost_micros"] == 2
    since = (datetime.now(UTC) - timedelta(days=60)).isoformat()
    until = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    assert (await usage(door, **{"from": since, "to": until}))["total"]["cost_micros"] == 1
    assert (await usage(door, **{"from": since}))["total"]["cost_micros"] == 3


async def test_calls_under_way_are_not_told_and_what_is_assumed_is_told_apart(door: Door):
    payer = Payer(door.organization, door.owner.caller.user_id)
    call = PaidCall(SpentOn.GATEWAY, "demo", "m")
    await settle(door.engine, Bill(payer, call, None, 70, SpendingState.ASSUMED))
    async with door.engine.begin() as conn:
        await conn.execute(
            update(spendings).where(spendings.c.id == call.id).values(state="reserved", cost_micros=None)
        )
    assert (await usage(door))["rows"] == []
    await settle(door.engine, Bill(payer, call, None, 70, SpendingState.ASSUMED))
    total = (await usage(door))["total"]
    assert (total["requests"], total["cost_micros"], total["assumed_cost_micros"]) == (1, 70, 70)


async def test_members_see_their_own_and_those_who_read_all_chats_their_organization(
    door: Door, people: People
):
    other_tenant = people.by_name["other-tenant"].caller
    elsewhere = other_tenant.memberships[0][0]
    await spend(door, door.owner.caller.user_id, 1)
    await spend(door, door.other.caller.user_id, 20)
    await spend(door, people.id("left"), 300)
    await spend(door, other_tenant.user_id, 4000, organization=elsewhere)
    seen: dict[str, int] = {}
    for name, person in people.by_name.items():
        both = [await usage(door, person, organization_id=str(one)) for one in (door.organization, elsewhere)]
        seen[name] = sum(report["total"]["cost_micros"] for report in both)
    assert seen == {
        "owner": 1,
        "member": 20,
        "reader": 0,
        "left": 0,
        "org-owner": 321,
        "org-admin": 321,
        "auditor": 321,
        "site-owner": 4321,
        "other-tenant": 4000,
    }
    rows = (await usage(door, people.by_name["auditor"], group_by="user"))["rows"]
    assert [row["cost_micros"] for row in rows] == [300, 20, 1]
    assert rows[1]["username"] == door.other.caller.username
    asked_for_another = await usage(door, user_id=str(door.other.caller.user_id))
    assert (asked_for_another["rows"], asked_for_another["total"]["requests"]) == ([], 0)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from": "2026-02-01", "to": "2026-01-01"}, "from"),
        ({"from": "2024-01-01", "to": "2026-01-01"}, "from"),
        ({"to": "0001-01-02"}, "to"),
        ({"group_by": "moon"}, "group_by"),
        ({"limit": 1001}, "limit"),
        ({"user_id": "ada"}, "user_id"),
    ],
)
async def test_what_cannot_be_added_up_is_refused(door: Door, params: dict[str, Any], field: str):
    answer = await door.owner.http.get("/chats/usage", params=params)
    assert answer.status_code == 400
    assert answer.json()["validations"][0]["field"] == field
