"""Users: who sees them, who makes them, who changes them, who sends them away."""

from uuid import uuid4

import pytest

from models.permissions import Role
from tests.api.conftest import Door
from tests.api.people import NOBODIES, People
from tests.api.served import Body, client, make_organization, make_token, person


def name() -> str:
    return f"u-{uuid4().hex[:8]}"


async def test_me_is_whoever_asks(door: Door):
    me = (await door.owner.http.get("/users/me")).json()
    assert me["id"] == str(door.owner.caller.user_id)
    assert me["organization_ids"] == [str(door.organization)]
    assert (me["status"], me["roles"], me["email"]) == ("active", [], "")
    for other_name in (me["id"], me["username"]):
        assert (await door.owner.http.get(f"/users/{other_name}")).json() == me


async def test_users_are_seen_by_those_who_share_an_organization(door: Door, people: People):
    path = f"/users/{people.id('member')}"
    for whom in ("owner", "org-admin", "auditor", "reader", "site-owner"):
        assert (await people.http(whom).get(path)).status_code == 200, whom
    for whom in ("other-tenant", "left"):
        assert (await people.http(whom).get(path)).status_code == 404, whom
    for whom in NOBODIES:
        assert (await people.http(whom).get(path)).status_code == 401, whom
    listed = (await people.http("other-tenant").get("/users")).json()
    assert str(people.id("member")) not in {user["id"] for user in listed["users"]}


async def test_users_are_listed_by_name_in_pages(door: Door, people: People):
    http = people.http("auditor")
    everyone = (await http.get("/users")).json()
    names = [user["username"] for user in everyone["users"]]
    assert names == sorted(names)
    assert everyone["count"] == len(names)
    first = (await http.get("/users", params={"limit": 2})).json()
    assert first["count"] == everyone["count"]
    rest = (await http.get("/users", params={"after_id": first["users"][-1]["id"]})).json()
    assert first["users"] + rest["users"] == everyone["users"]
    found = (await http.get("/users", params={"q": names[0][:6].upper()})).json()
    assert names[0] in {user["username"] for user in found["users"]}
    assert (await http.get("/users", params={"q": "no % such"})).json() == {"users": [], "count": 0}
    assert (await http.get("/users", params={"limit": 0})).status_code == 400
    suspended = (await http.get("/users", params={"status": "suspended"})).json()["users"]
    assert [user["status"] for user in suspended] == ["suspended"]


async def test_an_administrator_makes_users_of_the_own_organization(door: Door, people: People):
    body: Body = {
        "username": name(),
        "name": "New",
        "email": f"{name()}@example.com",
        "organization_ids": [str(door.organization)],
    }
    made = await people.http("org-admin").post("/users", json=body)
    assert made.status_code == 201, made.text
    user = made.json()
    assert {field: user[field] for field in body} == body
    member = await people.http("org-admin").get(f"/organizations/{door.organization}/members/{user['id']}")
    assert member.json()["roles"] == [{"name": "member", "display_name": "Member"}]
    again = await people.http("org-admin").post("/users", json={**body, "email": None})
    assert again.status_code == 409
    same_address = {**body, "username": name(), "email": body["email"].upper()}
    assert (await people.http("org-admin").post("/users", json=same_address)).status_code == 409


@pytest.mark.parametrize(
    ("whom", "role", "status"),
    [
        ("org-admin", "auditor", 201),
        ("org-admin", "owner", 403),
        ("org-owner", "owner", 201),
        ("site-owner", "owner", 201),
        ("member", "member", 403),
        ("auditor", "member", 403),
        ("other-tenant", "member", 403),
    ],
)
async def test_who_may_make_a_user_with_which_role(
    door: Door, people: People, whom: str, role: str, status: int
):
    body = {"username": name(), "organization_ids": [str(door.organization)], "role": role}
    assert (await people.http(whom).post("/users", json=body)).status_code == status


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "me"}, "username"),
        ({"username": str(uuid4())}, "username"),
        ({"username": "x" * 65}, "username"),
        ({"email": "nowhere"}, "email"),
        ({"name": "x" * 129}, "name"),
        ({"role": "king"}, "role"),
        ({"organization_ids": [str(uuid4())]}, "organization_ids"),
    ],
)
async def test_a_user_that_breaks_a_rule_is_not_made(
    door: Door, people: People, change: dict[str, object], field: str
):
    body: Body = {"username": name(), "organization_ids": [], **change}
    refused = await people.http("site-owner").post("/users", json=body)
    assert refused.status_code == 400, refused.text
    assert refused.json()["validations"][0]["field"] == field
    listed = await people.http("site-owner").get("/users", params={"q": str(body["username"]) or "u-"})
    assert body["username"] not in {user["username"] for user in listed.json()["users"]}


async def test_users_change_themselves_and_administrators_change_members(door: Door, people: People):
    path = f"/users/{people.id('member')}"
    assert (await people.http("member").patch("/users/me", json={"name": "Bobby"})).json()["name"] == "Bobby"
    assert (await people.http("org-admin").patch(path, json={"name": "B"})).json()["name"] == "B"
    for whom in ("owner", "auditor", "reader"):
        assert (await people.http(whom).patch(path, json={"name": "X"})).status_code == 403, whom
    assert (await people.http("other-tenant").patch(path, json={"name": "X"})).status_code == 404
    taken = (await people.http("owner").get("/users/me")).json()["username"]
    assert (await people.http("member").patch("/users/me", json={"username": taken})).status_code == 409
    assert (await people.http("member").get("/users/me")).json()["name"] == "B"


async def test_owners_are_beyond_the_reach_of_administrators(people: People):
    admin = people.http("org-admin")
    for whom in ("org-owner",):
        path = f"/users/{people.id(whom)}"
        assert (await admin.patch(path, json={"name": "X"})).status_code == 403
        assert (await admin.put(f"{path}/status/suspend")).status_code == 403
        assert (await admin.post(f"{path}/keys/tokens", json={})).status_code == 403
    assert (
        await admin.put(f"/users/{people.id('member')}/roles", json={"roles": ["owner"]})
    ).status_code == 403


async def test_a_user_of_two_tenants_is_managed_by_neither_alone(door: Door, people: People):
    elsewhere, _ = await make_organization(door.engine)
    path = f"/users/{people.id('member')}"
    joined = await people.http("site-owner").post(f"/organizations/{elsewhere}/members/{people.id('member')}")
    assert joined.status_code == 200, joined.text
    assert (await people.http("org-owner").put(f"{path}/status/suspend")).status_code == 403
    assert (await people.http("site-owner").put(f"{path}/status/suspend")).status_code == 200


async def test_a_suspended_user_comes_no_further_at_once_and_may_come_back(door: Door, people: People):
    path = f"/users/{people.id('member')}"
    suspended = await people.http("org-admin").put(f"{path}/status/suspend")
    assert suspended.json()["status"] == "suspended"
    assert (await people.http("member").get("/users/me")).status_code == 401
    assert (await people.http("org-admin").put(f"{path}/status/activate")).json()["status"] == "active"
    assert (await people.http("member").get("/users/me")).status_code == 200
    assert (await people.http("org-admin").delete(path)).status_code == 204
    assert (await people.http("member").get("/users/me")).status_code == 401
    assert (await people.http("org-admin").get(path)).json()["status"] == "suspended"
    assert (await people.http("org-admin").delete("/users/me")).status_code == 400


async def test_site_ownership_is_given_and_taken_by_site_owners(door: Door, people: People):
    site, path = people.http("site-owner"), f"/users/{people.id('member')}/roles"
    made = await site.put(path, json={"roles": ["owner"]})
    assert made.json()["roles"] == [{"name": "owner", "display_name": "Owner"}]
    assert (await people.http("member").get("/users", params={"limit": 200})).json()["count"] > 9
    assert (await site.put(path, json={"roles": ["king"]})).status_code == 400
    assert (await site.put(path, json={"roles": []})).json()["roles"] == []


async def test_a_change_of_role_is_felt_at_once(door: Door):
    async with (
        person(door.engine, door.served.url, door.organization, "boss", role=Role.OWNER) as boss,
        person(door.engine, door.served.url, door.organization, "new") as new,
    ):
        chat = await door.create()
        assert (await new.http.get(f"/chats/{chat['id']}")).status_code == 404
        path = f"/organizations/{door.organization}/members/{new.caller.user_id}"
        assert (await boss.http.put(f"{path}/roles", json={"roles": ["auditor"]})).status_code == 200
        assert (await new.http.get(f"/chats/{chat['id']}")).status_code == 200
        assert (await boss.http.delete(path)).status_code == 204
        assert (await new.http.get(f"/chats/{chat['id']}")).status_code == 404


async def test_a_token_of_another_user_says_who_that_is(door: Door):
    token = await make_token(door.engine, door.other.caller.user_id)
    async with client(door.served.url, token) as http:
        assert (await http.get("/users/me")).json()["id"] == str(door.other.caller.user_id)
