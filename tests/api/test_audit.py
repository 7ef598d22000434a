"""The audit log: what was changed and what was refused, by whom, and who may read of it."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from models.store.tables import staged_edits
from tests.api.conftest import Door
from tests.api.histories import archive
from tests.api.people import People
from tests.api.served import Body


async def lines(people: People, whom: str = "auditor", **wanted: Any) -> list[dict[str, Any]]:
    answer = await people.http(whom).get("/audit", params=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()["audit_logs"]


async def test_a_change_is_told_with_who_what_and_which_request(door: Door, people: People):
    path = f"/users/{people.id('member')}"
    await people.http("org-admin").patch(path, json={"name": "Changed"}, headers={"X-Request-Id": "r-1"})
    (line,) = await lines(people, target_id=str(people.id("member")))
    assert line["user_id"] == str(people.id("org-admin"))
    assert line["username"].startswith("org-admin")
    assert (line["action"], line["target_type"], line["outcome"]) == ("write", "user", "done")
    assert (line["status_code"], line["request_id"]) == (200, "r-1")
    assert line["changes"] == {"name": "Changed"}
    assert line["organization_id"] == str(door.organization)


async def test_what_was_refused_is_told_too(door: Door, people: People):
    target = str(people.id("member"))
    assert (await people.http("reader").put(f"/users/{target}/status/suspend")).status_code == 403
    (line,) = await lines(people, target_id=target)
    assert (line["outcome"], line["status_code"], line["changes"]) == ("rejected", 403, {})
    assert line["user_id"] == str(people.id("reader"))


async def test_secrets_are_not_told(door: Door, people: People):
    made = await door.owner.http.post("/users/me/keys/tokens", json={"token_name": "secret one"})
    answer = await people.http("auditor").get("/audit", params={"target_id": made.json()["id"]})
    assert answer.json()["audit_logs"][0]["action"] == "create"
    assert made.json()["key"] not in answer.text


async def test_memberships_groups_tokens_and_sharing_are_all_told(door: Door, people: People):
    admin, member = people.http("org-admin"), str(people.id("member"))
    chat = await door.create()
    await admin.put(f"/organizations/{door.organization}/members/{member}/roles", json={"roles": ["admin"]})
    group = (await admin.post(f"/organizations/{door.organization}/groups", json={"name": "g"})).json()["id"]
    await admin.patch(f"/groups/{group}", json={"add_users": [member]})
    await door.owner.http.patch(f"/chats/{chat['id']}/acl", json={"group_roles": {group: "read"}})
    await admin.delete(f"/groups/{group}")
    await admin.delete(f"/organizations/{door.organization}/members/{member}")
    told = [(line["action"], line["target_type"]) for line in await lines(people)]
    assert told[::-1] == [
        ("write", "member"),
        ("create", "group"),
        ("write", "group"),
        ("write", "chat_acl"),
        ("delete", "group"),
        ("delete", "member"),
    ]


async def test_a_line_is_written_with_its_change_or_not_at_all(door: Door, people: People):
    taken = (await people.http("owner").get("/users/me")).json()["username"]
    path = f"/users/{people.id('member')}"
    assert (await people.http("member").patch(path, json={"username": taken})).status_code == 409
    (line,) = await lines(people, target_id=str(people.id("member")))
    assert (line["outcome"], line["status_code"]) == ("rejected", 409)


@pytest.mark.parametrize(
    ("whom", "status"),
    [
        ("org-owner", 200),
        ("org-admin", 200),
        ("auditor", 200),
        ("site-owner", 200),
        ("other-tenant", 200),
        ("owner", 403),
        ("reader", 403),
        ("left", 403),
        ("nobody", 401),
        ("revoked", 401),
    ],
)
async def test_who_may_read_the_log(door: Door, people: People, whom: str, status: int):
    target = str(people.id("member"))
    await people.http("org-admin").patch(f"/users/{target}", json={"name": "x"})
    answer = await people.http(whom).get("/audit", params={"target_id": target})
    assert answer.status_code == status
    if status == 200:
        assert len(answer.json()["audit_logs"]) == (0 if whom == "other-tenant" else 1)


async def test_the_log_is_read_in_pages_and_through_filters(door: Door, people: People):
    admin = people.http("org-admin")
    for number in range(5):
        await admin.patch(f"/users/{people.id('member')}", json={"name": f"n{number}"})
    await admin.patch(f"/users/{people.id('reader')}", json={"name": "x"})
    first = (await people.http("auditor").get("/audit", params={"limit": 4})).json()
    assert first["has_more"] is True
    last = first["audit_logs"][-1]["id"]
    second = (await people.http("auditor").get("/audit", params={"limit": 4, "before_id": last})).json()
    assert (len(second["audit_logs"]), second["has_more"]) == (2, False)
    ids = [line["id"] for line in first["audit_logs"] + second["audit_logs"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 6
    whole = await lines(people)
    middle = whole[3]["time"]
    assert [line["id"] for line in await lines(people, since=middle)] == ids[:4]
    assert [line["id"] for line in await lines(people, until=middle)] == ids[4:]
    assert len(await lines(people, target_id=str(people.id("reader")), action="write")) == 1
    assert await lines(people, outcome="rejected") == []
    assert await lines(people, user_id=str(uuid4())) == []
    assert await lines(people, organization_id=str(uuid4())) == []
    assert (await people.http("auditor").get("/audit", params={"limit": 201})).status_code == 400


async def test_changes_of_a_chat_are_told_and_refused_ones_too(door: Door, people: People):
    chat = await door.create("a question")
    path = f"/chats/{chat['id']}"
    assert (await door.owner.http.patch(path, json={"title": "Clocks", "pin_order": 1})).status_code == 204
    assert (await people.http("org-admin").patch(path, json={"title": " "})).status_code == 400
    assert (await people.http("org-admin").patch(path, json={"title": 7})).status_code == 400
    assert (await people.http("auditor").patch(path, json={"title": "Mine"})).status_code == 404
    assert (await people.http("member").patch(path, json={"title": "Mine"})).status_code == 404
    told = await lines(people, target_id=chat["id"])
    assert [(one["outcome"], one["status_code"]) for one in told[::-1]] == [
        ("done", 204),
        ("rejected", 400),
        ("rejected", 400),
        ("rejected", 404),
    ]
    assert told[-1]["changes"] == {"title": "Clocks", "pin_order": 1}
    assert {one["target_type"] for one in told} == {"chat"}


async def staged(door: Door, chat: Body) -> str:
    """The id of the command that the door has sent last about a chat."""
    async with door.engine.connect() as conn:
        found = await conn.scalar(
            select(staged_edits.c.command_id).where(staged_edits.c.chat_id == UUID(chat["id"]))
        )
    assert found is not None
    return found


async def test_an_archiving_is_told_by_what_archives_though_its_door_be_dead(door: Door, people: People):
    chat = await door.create()
    path = f"/chats/{chat['id']}"
    sent = await door.owner.http.patch(path, json={"archived": True}, headers={"X-Request-Id": "r-2"})
    assert sent.status_code == 503, "there is no worker, and nobody knows what will become of it"
    assert await lines(people, target_id=chat["id"]) == []
    await archive(door, chat, await staged(door, chat))
    (line,) = await lines(people, target_id=chat["id"])
    assert (line["outcome"], line["status_code"], line["request_id"]) == ("done", 204, "r-2")
    assert line["changes"] == {"archived": True}
    assert line["user_id"] == str(door.owner.caller.user_id)


async def test_an_archiving_that_never_happened_is_not_told(door: Door, people: People):
    chat = await door.create()
    assert (await door.owner.http.patch(f"/chats/{chat['id']}", json={"archived": True})).status_code == 503
    await archive(door, chat, "of another request")
    assert await lines(people, target_id=chat["id"]) == []
