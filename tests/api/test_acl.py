"""Sharing a chat: who may, with whom, and what they see then."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from models.store.tables import chats
from tests.api.conftest import Door
from tests.api.people import People
from tests.api.served import Body


def acl(chat: Body) -> str:
    return f"/chats/{chat['id']}/acl"


async def test_a_chat_is_shared_with_a_user_and_no_more(door: Door, people: People):
    chat, reader = await door.create(), str(people.id("reader"))
    path = f"/chats/{chat['id']}"
    assert (await people.http("reader").get(path)).status_code == 404
    assert (await door.owner.http.patch(acl(chat), json={"user_roles": {reader: "read"}})).status_code == 204
    seen = await people.http("reader").get(path)
    assert seen.status_code == 200
    assert seen.json()["shared"] is True
    listed = (await people.http("reader").get(acl(chat))).json()
    assert [(one["id"], one["role"]) for one in listed["users"]] == [(reader, "read")]
    assert listed["groups"] == []
    assert (await people.http("member").get(path)).status_code == 404
    assert (await door.owner.http.patch(acl(chat), json={"user_roles": {reader: ""}})).status_code == 204
    assert (await people.http("reader").get(path)).status_code == 404
    assert (await door.owner.http.get(path)).json()["shared"] is False


async def test_a_chat_is_shared_with_a_group_and_follows_who_is_in_it(door: Door, people: People):
    chat, admin = await door.create(), people.http("org-admin")
    group = (await admin.post(f"/organizations/{door.organization}/groups", json={"name": "g"})).json()["id"]
    shared = await door.owner.http.patch(acl(chat), json={"group_roles": {group: "read"}})
    assert shared.status_code == 204
    path = f"/chats/{chat['id']}"
    assert (await people.http("reader").get(path)).status_code == 404
    reader = [str(people.id("reader"))]
    await admin.patch(f"/groups/{group}", json={"add_users": reader})
    assert (await people.http("reader").get(path)).status_code == 200
    assert (await door.owner.http.get(acl(chat))).json()["groups"][0]["total_member_count"] == 1
    await admin.patch(f"/groups/{group}", json={"remove_users": reader})
    assert (await people.http("reader").get(path)).status_code == 404


async def test_an_edit_leaves_others_alone(door: Door, people: People):
    chat = await door.create()
    first, second = str(people.id("reader")), str(people.id("member"))
    await door.owner.http.patch(acl(chat), json={"user_roles": {first: "read"}})
    await people.http("org-admin").patch(acl(chat), json={"user_roles": {second: "read"}})
    listed = (await door.owner.http.get(acl(chat))).json()["users"]
    assert {one["id"] for one in listed} == {first, second}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user_roles": {"nobody": "read"}}, "user_roles"),
        ({"user_roles": {str(uuid4()): "read"}}, "user_roles"),
        ({"group_roles": {str(uuid4()): "read"}}, "group_roles"),
        ({"group_roles": {str(uuid4()): "write"}}, "group_roles"),
        ({"user_roles": {str(uuid4()): "admin"}}, "user_roles"),
        ({"user_roles": {str(uuid4()): 1}}, None),
        ({"user_roles": {str(uuid4()): "" for _ in range(201)}}, "user_roles"),
    ],
)
async def test_a_wrong_edit_shares_nothing(
    door: Door, people: People, body: dict[str, dict[str, object]], field: str | None
):
    chat = await door.create()
    roles = {str(people.id("reader")): "read", **body.get("user_roles", {})}
    refused = await door.owner.http.patch(acl(chat), json={**body, "user_roles": roles})
    assert refused.status_code == 400, refused.text
    if field is not None:
        assert refused.json()["validations"][0]["field"] == field
    assert (await door.owner.http.get(acl(chat))).json() == {"users": [], "groups": []}


async def test_nothing_is_shared_beyond_the_organization_or_with_oneself(door: Door, people: People):
    chat = await door.create()
    for whom in ("other-tenant", "left", "owner"):
        body = {"user_roles": {str(people.id(whom)): "read"}}
        refused = await door.owner.http.patch(acl(chat), json=body)
        assert refused.status_code == 400, whom
        assert refused.json()["validations"][0]["field"] == "user_roles"


async def test_a_child_is_shared_with_its_root_only(door: Door):
    root, child = await door.create(), await door.create()
    async with door.engine.begin() as conn:
        await conn.execute(
            update(chats)
            .where(chats.c.id == UUID(child["id"]))
            .values(parent_chat_id=UUID(root["id"]), root_chat_id=UUID(root["id"]))
        )
    for answer in (
        await door.owner.http.get(acl(child)),
        await door.owner.http.patch(acl(child), json={"user_roles": {}}),
    ):
        assert answer.status_code == 400
        assert root["id"] in answer.json()["detail"]
