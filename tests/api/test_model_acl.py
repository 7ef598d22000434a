"""Models that are not for everybody."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from models.store.chats import find_chat
from tests.api.conftest import Door
from tests.api.people import People, everybody
from tests.api.served import Body, text


class Shop:
    """An organization with two models, in the hands of its administrator. The second is the one to share."""

    def __init__(self, door: Door, people: People, second: str) -> None:
        self.door = door
        self.people = people
        self.admin = people.http("org-admin")
        self.everyone = str(door.organization)
        self.models = f"/organizations/{door.organization}/chats/models"
        self.second = second
        self.acl = f"{self.models}/{second}/acl"

    async def share(self, model: str | None = None, **roles: dict[str, str]) -> None:
        answer = await self.admin.patch(f"{self.models}/{model or self.second}/acl", json=roles)
        assert answer.status_code == 204, answer.text

    async def offered_to(self, name: str) -> set[str]:
        listed = await self.people.http(name).get(self.models)
        return {model["id"] for model in listed.json()["models"]}

    async def create(self, name: str, model: str) -> httpx2.Response:
        body = {"organization_id": self.everyone, "content": text("hello"), "model_config_id": model}
        return await self.people.http(name).post("/chats", json=body)


@pytest.fixture
async def shop(door: Door) -> AsyncGenerator[Shop]:
    async with everybody(door) as people:
        admin = people.http("org-admin")
        provider = {
            "type": "anthropic",
            "name": "ours",
            "organization_id": str(door.organization),
            "api_key": "k",
        }
        made = await admin.post("/ai-providers", json=provider)
        assert made.status_code == 201, made.text
        model = {"ai_provider_id": made.json()["id"], "model": "second", "context_limit": 1000}
        added = await admin.post(f"/organizations/{door.organization}/chats/models", json=model)
        assert added.status_code == 201, added.text
        yield Shop(door, people, added.json()["id"])


async def test_a_new_model_is_for_everybody(shop: Shop):
    acl: Body = (await shop.admin.get(shop.acl)).json()
    assert acl["users"] == []
    (everyone,) = acl["groups"]
    assert (everyone["id"], everyone["role"]) == (shop.everyone, "read")
    assert shop.second in await shop.offered_to("member")
    assert (await shop.create("member", shop.second)).status_code == 201


async def test_a_model_taken_from_everybody_is_there_for_managers_and_whom_it_is_shared_with(shop: Shop):
    await shop.share(group_roles={shop.everyone: ""}, user_roles={str(shop.people.id("reader")): "read"})
    one = f"{shop.models}/{shop.second}"
    for name in ("reader", "org-admin", "org-owner", "site-owner"):
        assert shop.second in await shop.offered_to(name), name
        assert (await shop.people.http(name).get(one)).status_code == 200, name
    assert (await shop.create("reader", shop.second)).status_code == 201
    for name in ("member", "owner", "auditor"):
        assert shop.second not in await shop.offered_to(name), name
        assert (await shop.people.http(name).get(one)).status_code == 404, name
    refused = await shop.create("member", shop.second)
    assert refused.status_code == 400
    assert refused.json()["validations"][0]["field"] == "model_config_id"
    acl = (await shop.admin.get(shop.acl)).json()
    assert [user["id"] for user in acl["users"]] == [str(shop.people.id("reader"))]
    assert acl["groups"] == []


async def test_a_group_that_may_use_a_model_brings_its_members(shop: Shop):
    group = (await shop.admin.post(f"/organizations/{shop.everyone}/groups", json={"name": "g"})).json()["id"]
    await shop.admin.patch(f"/groups/{group}", json={"add_users": [str(shop.people.id("member"))]})
    await shop.share(group_roles={shop.everyone: "", group: "read"})
    assert shop.second in await shop.offered_to("member")
    assert (await shop.create("member", shop.second)).status_code == 201
    await shop.share(group_roles={group: ""})
    assert shop.second not in await shop.offered_to("member")
    assert (await shop.create("member", shop.second)).status_code == 400


async def test_a_chat_leaves_a_model_that_its_owner_may_no_longer_use(shop: Shop):
    chat = (await shop.create("owner", shop.second)).json()["id"]
    owner = shop.door.owner.caller

    async def goes_on() -> bool:
        found = await find_chat(shop.door.engine, owner, UUID(chat))
        assert found is not None
        return found.model_enabled

    assert await goes_on()
    await shop.share(group_roles={shop.everyone: ""})
    assert not await goes_on()


async def test_a_default_that_is_withheld_is_no_default(shop: Shop):
    first = str(shop.door.model)
    await shop.share(first, group_roles={shop.everyone: ""})
    body = {"organization_id": shop.everyone, "content": text("hello")}
    refused = await shop.people.http("member").post("/chats", json=body)
    assert refused.status_code == 400
    await shop.share(first, group_roles={shop.everyone: "read"})
    assert (await shop.people.http("member").post("/chats", json=body)).status_code == 201


async def test_a_member_s_own_choice_must_be_open_to_them(shop: Shop):
    await shop.share(group_roles={shop.everyone: ""})
    member = shop.people.id("member")
    path = f"/organizations/{shop.everyone}/members/{member}/chats/model-overrides/root"
    found = await shop.admin.put(path, json={"mode": "model", "model_config_id": shop.second})
    assert found.status_code == 400, found.text
    assert found.json()["validations"][0]["field"] == "model_config_id"


async def test_whom_a_model_can_be_shared_with(shop: Shop):
    found = (await shop.admin.get(f"{shop.acl}/available", params={"limit": 1})).json()
    assert len(found["users"]) == 1
    assert found["groups"][0]["id"] == shop.everyone
    (someone,) = found["users"]
    named = (await shop.admin.get(f"{shop.acl}/available", params={"q": someone["username"]})).json()
    assert someone["id"] in {user["id"] for user in named["users"]}
    assert (await shop.admin.get(f"{shop.acl}/available", params={"limit": 0})).status_code == 400


@pytest.mark.parametrize(
    ("whom", "reads", "writes"),
    [
        ("org-owner", 200, 204),
        ("org-admin", 200, 204),
        ("site-owner", 200, 204),
        ("member", 404, 403),
        ("auditor", 404, 403),
        ("other-tenant", 404, 404),
        ("left", 404, 404),
        ("nobody", 401, 401),
    ],
)
async def test_who_may_say_who_uses_a_model(shop: Shop, whom: str, reads: int, writes: int):
    http = shop.people.http(whom)
    assert (await http.get(shop.acl)).status_code == reads
    assert (await http.get(f"{shop.acl}/available")).status_code == reads
    body = {"user_roles": {str(shop.people.id("reader")): "read"}}
    assert (await http.patch(shop.acl, json=body)).status_code == writes


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user_roles": {"nobody": "read"}}, "user_roles"),
        ({"user_roles": {str(uuid4()): "read"}}, "user_roles"),
        ({"group_roles": {str(uuid4()): "read"}}, "group_roles"),
        ({"group_roles": {str(uuid4()): "write"}}, "group_roles"),
    ],
)
async def test_a_wrong_edit_changes_nothing(shop: Shop, body: dict[str, Any], field: str):
    roles = {shop.everyone: "", **body.get("group_roles", {})}
    refused = await shop.admin.patch(shop.acl, json={**body, "group_roles": roles})
    assert refused.status_code == 400, refused.text
    assert refused.json()["validations"][0]["field"] == field
    assert shop.second in await shop.offered_to("member")
