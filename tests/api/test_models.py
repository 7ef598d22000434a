"""Models of an organization and overrides through the API."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import select

from models.store.tables import chats
from tests.api.conftest import Door
from tests.api.people import People, everybody
from tests.api.served import Body


class Shop:
    """An organization's models, in the hands of its administrator."""

    def __init__(self, door: Door, people: People, provider: str) -> None:
        self.people = people
        self.http = people.http("org-admin")
        self.organization = door.organization
        self.path = f"/organizations/{door.organization}/chats/models"
        self.overrides = f"/organizations/{door.organization}/chats/model-overrides"
        self.provider = provider
        self.first = str(door.model)

    def body(self, **more: object) -> Body:
        return {
            "ai_provider_id": self.provider,
            "model": f"m-{uuid4().hex[:6]}",
            "context_limit": 1000,
            **more,
        }

    async def add(self, **more: object) -> Body:
        answer = await self.http.post(self.path, json=self.body(**more))
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def defaults(self) -> list[str]:
        return [m["id"] for m in (await self.http.get(self.path)).json()["models"] if m["is_default"]]


@pytest.fixture
async def shop(door: Door) -> AsyncGenerator[Shop]:
    async with everybody(door) as people:
        body = {
            "type": "anthropic",
            "name": "ours",
            "organization_id": str(door.organization),
            "api_key": "k",
        }
        made = await people.http("org-admin").post("/ai-providers", json=body)
        assert made.status_code == 201, made.text
        yield Shop(door, people, made.json()["id"])


async def test_a_model_is_added_read_changed_and_deleted(shop: Shop):
    made = await shop.add(model="claude-x", model_config={"temperature": 0.5, "provider_options": {}})
    assert made["display_name"] == "claude-x"
    assert (made["enabled"], made["is_default"], made["compression_threshold"]) == (True, False, 70)
    assert made["model_config"] == {"temperature": 0.5}
    assert "reasoning_efforts" not in made
    path = f"{shop.path}/{made['id']}"
    assert (await shop.people.http("member").get(path)).json() == made

    changed = await shop.http.patch(
        path,
        json={
            "display_name": "",
            "model": None,
            "context_limit": 2000,
            "model_config": {"reasoning_effort": {"default": "low", "max": "medium"}},
        },
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["display_name"], changed.json()["context_limit"]) == ("claude-x", 2000)
    assert changed.json()["reasoning_efforts"] == ["none", "minimal", "low", "medium"]
    assert (await shop.http.delete(path)).status_code == 204
    assert (await shop.http.get(path)).status_code == 404
    assert (await shop.http.delete(path)).status_code == 404


async def test_a_large_context_is_summarized_earlier(shop: Shop):
    assert (await shop.add(context_limit=500_000))["compression_threshold"] == 30
    assert (await shop.add(context_limit=500_000, compression_threshold=0))["compression_threshold"] == 0


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"ai_provider_id": None}, "ai_provider_id"),
        ({"model": " "}, "model"),
        ({"context_limit": 0}, "context_limit"),
        ({"compression_threshold": 101}, "compression_threshold"),
        ({"model_config": {"temprature": 1}}, "model_config.temprature"),
        ({"model_config": {"reasoning_effort": {"default": "low"}}}, "model_config.reasoning_effort.max"),
        (
            {"model_config": {"provider_options": {"anthropic": {"thinking_display": "x"}}}},
            "model_config.provider_options.anthropic.thinking_display",
        ),
        ({"user_roles": {}}, "body"),
    ],
)
async def test_what_breaks_a_rule_is_refused_by_its_field(shop: Shop, more: Body, field: str):
    body = {name: value for name, value in {**shop.body(), **more}.items() if value is not None}
    answer = await shop.http.post(shop.path, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["validations"][0]["field"] == field


async def test_a_model_of_a_gateway_is_none_of_a_provider_of_type_openai(shop: Shop, door: Door):
    made = await shop.http.post(
        "/ai-providers",
        json={
            "type": "openai",
            "name": "gateway",
            "organization_id": str(door.organization),
            "base_url": "https://openrouter.ai/api/v1",
        },
    )
    body = shop.body(ai_provider_id=made.json()["id"], model="anthropic/claude-sonnet-4.5")
    refused = await shop.http.post(shop.path, json=body)
    assert (refused.status_code, refused.json()["validations"][0]["field"]) == (400, "model")


async def test_a_provider_that_cannot_be_used_and_a_model_that_is_there(shop: Shop):
    assert (await shop.http.post(shop.path, json=shop.body(ai_provider_id=str(uuid4())))).status_code == 412
    made = await shop.add()
    again = shop.body(model=made["model"])
    assert (await shop.http.post(shop.path, json=again)).status_code == 409
    other = await shop.add()
    renamed = await shop.http.patch(f"{shop.path}/{other['id']}", json={"model": made["model"]})
    assert renamed.status_code == 409
    await shop.http.patch(f"/ai-providers/{shop.provider}", json={"enabled": False})
    assert (await shop.http.post(shop.path, json=shop.body())).status_code == 412


async def test_who_may_do_what_with_models(shop: Shop):
    made = await shop.add()
    path = f"{shop.path}/{made['id']}"
    for whom in ("member", "auditor"):
        http = shop.people.http(whom)
        assert (await http.get(shop.path)).status_code == 200
        assert (await http.post(shop.path, json=shop.body())).status_code == 403
        assert (await http.patch(path, json={"enabled": False})).status_code == 403
        assert (await http.delete(path)).status_code == 403
    stranger = shop.people.http("other-tenant")
    for answer in (
        await stranger.get(shop.path),
        await stranger.get(path),
        await stranger.post(shop.path, json=shop.body()),
        await stranger.patch(path, json={}),
        await stranger.delete(path),
    ):
        assert answer.status_code == 404
    assert (await shop.people.http("nobody").get(shop.path)).status_code == 401


async def test_the_list_says_of_providers_what_they_lack_and_nothing_secret(shop: Shop):
    await shop.http.patch(
        f"/ai-providers/{shop.provider}",
        json={"allow_user_api_key": True, "base_url": "https://secret.example"},
    )
    listed = await shop.http.get(shop.path)
    assert "secret.example" not in listed.text
    (ours,) = [p for p in listed.json()["providers"] if p["id"] == shop.provider]
    assert (ours["available"], ours["unavailable_reason"]) == (False, "user_api_key_required")
    assert (ours["has_api_key"], ours["has_effective_api_key"]) == (True, False)
    await shop.http.patch(f"/ai-providers/{shop.provider}", json={"allow_central_api_key_fallback": True})
    (ours,) = [p for p in (await shop.http.get(shop.path)).json()["providers"] if p["id"] == shop.provider]
    assert (ours["available"], ours["has_effective_api_key"]) == (True, True)
    assert "unavailable_reason" not in ours
    assert listed.json()["unsupported_providers"] == []


async def test_there_is_exactly_one_default_whatever_comes_at_once(shop: Shop):
    made = [await shop.add() for _ in range(3)]

    async def patch(model: Body, **changes: Any) -> httpx2.Response:
        return await shop.http.patch(f"{shop.path}/{model['id']}", json=changes)

    answers = await asyncio.gather(
        *(patch(model, is_default=True) for model in made),
        *(patch(model, is_default=False) for model in made),
        shop.http.delete(f"{shop.path}/{shop.first}"),
        *(shop.http.post(shop.path, json=shop.body(is_default=True)) for _ in range(3)),
    )
    assert max(answer.status_code for answer in answers) < 300, [a.text for a in answers]
    assert len(await shop.defaults()) == 1


async def test_a_new_chat_takes_the_new_default_at_once(shop: Shop, door: Door):
    made = await shop.add(is_default=True)
    chat = await door.create()
    assert chat["last_model_config_id"] == made["id"]


async def test_an_organization_uses_a_model_for_one_purpose(shop: Shop):
    model = await shop.add(model_config={"reasoning_effort": {"default": "low", "max": "medium"}})
    path = f"{shop.overrides}/title_generation"
    put = await shop.http.put(path, json={"model_config_id": model["id"], "reasoning_effort": "low"})
    expected = {"context": "title_generation", "model_config_id": model["id"], "reasoning_effort": "low"}
    assert (put.status_code, put.json()) == (200, expected)
    assert (await shop.http.get(shop.overrides)).json() == {"overrides": [expected]}
    cleared = await shop.http.put(path, json={"model_config_id": ""})
    assert cleared.json() == {"context": "title_generation", "model_config_id": ""}
    assert (await shop.http.get(shop.overrides)).json() == {"overrides": []}


async def test_overrides_that_make_no_sense_are_refused(shop: Shop, door: Door):
    plain, off = await shop.add(), await shop.add(enabled=False)
    for context, body in (
        ("painting", {"model_config_id": plain["id"]}),
        ("general", {"model_config_id": "nonsense"}),
        ("general", {"model_config_id": str(uuid4())}),
        ("general", {"model_config_id": off["id"]}),
        ("general", {"model_config_id": plain["id"], "reasoning_effort": "low"}),
        ("general", {"model_config_id": "", "reasoning_effort": "low"}),
    ):
        assert (await shop.http.put(f"{shop.overrides}/{context}", json=body)).status_code == 400, body
    for whom in ("member", "auditor", "other-tenant"):
        assert (await shop.people.http(whom).get(shop.overrides)).status_code == 404
        assert (await shop.people.http(whom).put(f"{shop.overrides}/general", json={})).status_code == 404


async def test_members_choose_models_only_while_that_is_allowed(shop: Shop, door: Door):
    member, site = door.other.http, shop.people.http("site-owner")
    path = f"/organizations/{door.organization}/members/me/chats/model-overrides"
    shown = (await member.get(path)).json()
    assert shown["root"] == {
        "context": "root",
        "model_config_id": "",
        "mode": "chat_default",
        "is_set": False,
    }
    assert (shown["general"]["mode"], shown["enabled"]) == ("deployment_default", False)
    assert set(shown["deployment_defaults"]) == {"general", "explore"}
    model = await shop.add()
    body = {"mode": "model", "model_config_id": model["id"]}
    assert (await member.put(f"{path}/root", json=body)).status_code == 403
    allow = "/chats/config/personal-model-overrides"
    assert (await member.put(allow, json={"allow_users": True})).status_code == 403
    assert (await site.put(allow, json={"allow_users": True})).status_code == 204
    assert (await member.get(allow)).json() == {"allow_users": True}

    assert (await member.put(f"{path}/root", json=body)).status_code == 204
    chosen = (await member.get(path)).json()["root"]
    assert (chosen["mode"], chosen["model_config_id"], chosen["is_set"]) == ("model", model["id"], True)
    for context, bad in (
        ("root", {"mode": "deployment_default"}),
        ("root", {"mode": "chat_default", "model_config_id": model["id"]}),
        ("root", {"mode": "model"}),
        ("root", {"mode": "model", "model_config_id": str(uuid4())}),
        ("root", {"mode": "other"}),
        ("compaction", {"mode": "chat_default"}),
    ):
        assert (await member.put(f"{path}/{context}", json=bad)).status_code == 400, bad
    theirs = f"/organizations/{door.organization}/members/{door.other.caller.user_id}/chats/model-overrides"
    assert (await shop.people.http("reader").get(theirs)).status_code == 404
    assert (await shop.http.put(f"{theirs}/general", json={"mode": "chat_default"})).status_code == 204
    assert (await site.put(allow, json={"allow_users": False})).status_code == 204


async def effort_of(door: Door, chat: Body) -> str | None:
    async with door.engine.connect() as conn:
        return await conn.scalar(select(chats.c.last_reasoning_effort).where(chats.c.id == UUID(chat["id"])))


async def test_a_members_own_choice_is_for_new_chats_of_theirs(shop: Shop, door: Door):
    member, site = door.owner.http, shop.people.http("site-owner")
    model = await shop.add(model_config={"reasoning_effort": {"default": "low", "max": "high"}})
    path = f"/organizations/{door.organization}/members/me/chats/model-overrides/root"
    allow = "/chats/config/personal-model-overrides"
    await site.put(allow, json={"allow_users": True})
    choice = {"mode": "model", "model_config_id": model["id"], "reasoning_effort": "medium"}
    assert (await member.put(path, json=choice)).status_code == 204
    own = await door.create()
    assert (own["last_model_config_id"], await effort_of(door, own)) == (model["id"], "medium")
    for said, effort in (
        ({"reasoning_effort": "high"}, "high"),
        ({"model_config_id": model["id"]}, None),
        ({"model_config_id": shop.first, "reasoning_effort": "low"}, "low"),
    ):
        assert await effort_of(door, await door.create(**said)) == effort, said
    await site.put(allow, json={"allow_users": False})
    usual = await door.create()
    assert (usual["last_model_config_id"], await effort_of(door, usual)) == (shop.first, None)
