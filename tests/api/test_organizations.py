"""Organizations, their members and groups."""

from uuid import uuid4

import httpx2
import pytest

from tests.api.conftest import Door
from tests.api.people import People


def name() -> str:
    return f"o-{uuid4().hex[:8]}"


async def test_a_site_owner_makes_organizations_and_owns_them(people: People):
    site, called = people.http("site-owner"), name()
    made = await site.post("/organizations", json={"name": called})
    assert made.status_code == 201, made.text
    assert (made.json()["name"], made.json()["display_name"]) == (called, called)
    for how in (called, made.json()["id"]):
        assert (await site.get(f"/organizations/{how}")).json() == made.json()
    members = (await site.get(f"/organizations/{called}/members")).json()
    assert [(one["user_id"], one["roles"][0]["name"]) for one in members] == [
        (str(people.id("site-owner")), "owner")
    ]
    assert (await site.post("/organizations", json={"name": called})).status_code == 409
    assert (await site.post("/organizations", json={"name": "a b"})).status_code == 400
    assert (await people.http("org-owner").post("/organizations", json={"name": name()})).status_code == 403


async def listed_by(http: httpx2.AsyncClient) -> set[str]:
    """Ids of all organizations that somebody is shown, page by page."""
    found: set[str] = set()
    while page := (await http.get("/organizations", params={"offset": len(found)})).json():
        found |= {one["id"] for one in page}
    return found


async def test_an_organization_is_seen_by_its_members(door: Door, people: People):
    path = f"/organizations/{door.organization}"
    for whom in ("owner", "member", "auditor", "org-admin", "site-owner"):
        assert (await people.http(whom).get(path)).status_code == 200, whom
        assert str(door.organization) in await listed_by(people.http(whom)), whom
    for sub in ("", "/members", "/paginated-members", "/groups", f"/members/{people.id('member')}"):
        assert (await people.http("other-tenant").get(f"{path}{sub}")).status_code == 404, sub
        assert (await people.http("nobody").get(f"{path}{sub}")).status_code == 401, sub
    listed = (await people.http("other-tenant").get("/organizations")).json()
    assert str(door.organization) not in {one["id"] for one in listed}


async def test_members_are_listed_with_their_roles(door: Door, people: People):
    path = f"/organizations/{door.organization}"
    page = (await people.http("member").get(f"{path}/paginated-members", params={"limit": 3})).json()
    assert len(page["members"]) == 3
    everyone = (await people.http("member").get(f"{path}/members")).json()
    assert len(everyone) == page["count"]
    roles = {one["user_id"]: one["roles"][0]["name"] for one in everyone}
    assert roles[str(people.id("auditor"))] == "auditor"
    assert roles[str(people.id("org-admin"))] == "admin"
    assert str(people.id("other-tenant")) not in roles


@pytest.mark.parametrize(
    ("whom", "target", "role", "status"),
    [
        ("org-admin", "member", "auditor", 200),
        ("org-admin", "member", "owner", 403),
        ("org-admin", "org-owner", "member", 403),
        ("org-owner", "member", "owner", 200),
        ("org-owner", "org-owner", "member", 409),
        ("site-owner", "member", "admin", 200),
        ("member", "member", "admin", 403),
        ("auditor", "member", "admin", 403),
        ("other-tenant", "member", "admin", 404),
        ("org-admin", "other-tenant", "member", 404),
    ],
)
async def test_who_may_give_whom_which_role(
    door: Door, people: People, whom: str, target: str, role: str, status: int
):
    path = f"/organizations/{door.organization}/members/{people.id(target)}"
    answer = await people.http(whom).put(f"{path}/roles", json={"roles": [role]})
    assert answer.status_code == status, answer.text
    if status == 200:
        assert (await people.http(whom).get(path)).json()["roles"][0]["name"] == role


async def test_members_come_and_go(door: Door, people: People):
    path = f"/organizations/{door.organization}/members"
    site, admin = people.http("site-owner"), people.http("org-admin")
    stranger = people.id("other-tenant")
    assert (await admin.post(f"{path}/{stranger}")).status_code == 404, "not known to this tenant"
    joined = await site.post(f"{path}/{stranger}", json={"roles": ["auditor"]})
    assert joined.json()["roles"][0]["name"] == "auditor"
    assert (await site.post(f"{path}/{stranger}")).status_code == 409
    assert (await people.http("member").delete(f"{path}/{stranger}")).status_code == 403
    assert (await admin.delete(f"{path}/{stranger}")).status_code == 204
    assert (await admin.delete(f"{path}/{stranger}")).status_code == 404
    assert (await people.http("reader").delete(f"{path}/me")).status_code == 204, "everybody may leave"
    assert (await people.http("reader").get(f"/organizations/{door.organization}")).status_code == 404
    assert (await people.http("org-owner").delete(f"{path}/me")).status_code == 409, "but the last owner"


async def test_groups_are_managed_by_administrators_and_seen_by_members(door: Door, people: People):
    path = f"/organizations/{door.organization}/groups"
    admin = people.http("org-admin")
    made = await admin.post(path, json={"name": "reviewers"})
    assert made.status_code == 201, made.text
    group = f"/groups/{made.json()['id']}"
    assert (await admin.post(path, json={"name": "reviewers"})).status_code == 409
    added = await admin.patch(
        group, json={"add_users": [str(people.id("reader")), str(people.id("member"))], "name": "readers"}
    )
    assert added.status_code == 200, added.text
    assert {one["id"] for one in added.json()["members"]} == {
        str(people.id("reader")),
        str(people.id("member")),
    }
    removed = await admin.patch(group, json={"remove_users": [str(people.id("member"))]})
    assert (removed.json()["total_member_count"], removed.json()["name"]) == (1, "readers")
    for whom in ("owner", "auditor"):
        assert (await people.http(whom).get(group)).status_code == 200
        assert (await people.http(whom).patch(group, json={"name": "x"})).status_code == 403
        assert (await people.http(whom).delete(group)).status_code == 403
        assert (await people.http(whom).post(path, json={"name": "x"})).status_code == 403
    for method in ("GET", "PATCH", "DELETE"):
        answer = await people.http("other-tenant").request(method, group, json={"name": "x"})
        assert answer.status_code == 404
    assert [one["name"] for one in (await people.http("owner").get(path)).json()] == ["readers"]
    assert (await admin.delete(group)).status_code == 204
    assert (await admin.get(group)).status_code == 404


async def test_a_group_takes_members_of_its_organization_only_and_all_or_nothing(door: Door, people: People):
    admin = people.http("org-admin")
    made = await admin.post(f"/organizations/{door.organization}/groups", json={"name": "g"})
    group = f"/groups/{made.json()['id']}"
    body = {"add_users": [str(people.id("reader")), str(people.id("other-tenant"))], "name": "h"}
    refused = await admin.patch(group, json=body)
    assert refused.status_code == 400
    assert refused.json()["validations"][0]["field"] == "add_users"
    now = (await admin.get(group)).json()
    assert (now["name"], now["members"]) == ("g", [])


async def test_who_leaves_an_organization_leaves_its_groups(door: Door, people: People):
    admin, reader = people.http("org-admin"), str(people.id("reader"))
    made = await admin.post(f"/organizations/{door.organization}/groups", json={"name": "g"})
    group = f"/groups/{made.json()['id']}"
    await admin.patch(group, json={"add_users": [reader]})
    await admin.delete(f"/organizations/{door.organization}/members/{reader}")
    assert (await admin.get(group)).json()["members"] == []
