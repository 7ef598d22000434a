"""Every operation that is not about one chat, asked for by every kind of caller."""

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import insert

from models.inbox import TURN_FINISHED
from models.store.tables import inbox_notifications
from tests.api.conftest import Door
from tests.api.people import NOBODIES, People, everybody
from tests.api.standing import CALLERS, RULES, Rule

_FILE: dict[str, Any] = {
    "content": b"hello",
    "headers": {"Content-Type": "text/plain", "Content-Disposition": 'attachment; filename="a.txt"'},
}


@dataclass
class Scene:
    """An API with one of each kind of caller and of each thing, and how its operations are reached."""

    door: Door
    people: People
    things: dict[str, str]
    operations: dict[str, tuple[str, str]]

    async def ask(self, whom: str, operation: str) -> int:
        """The status that a caller is answered."""
        rule = RULES[operation]
        method, path = self.operations[operation]
        things = self.things | {name: self.named(value) for name, value in rule.path.items()}
        there = re.sub(r"\{(\w+)\}", lambda found: things[found[1]], path)
        async with self.people.http(whom).stream(
            method, f"{self.door.served.url}{there}", **self.asked(rule)
        ) as answer:
            return answer.status_code

    def asked(self, rule: Rule) -> dict[str, Any]:
        if rule.upload:
            return {"params": {"organization": self.things["organization"]}, **_FILE}
        return {} if rule.body is None else {"json": self.filled(rule.body)}

    def filled(self, body: Any) -> Any:
        match body:
            case str():
                return self.named(body)
            case Mapping():
                fields = cast("Mapping[str, Any]", body)
                return {name: self.filled(value) for name, value in fields.items()}
            case list():
                return [self.filled(one) for one in cast("list[Any]", body)]
            case _:
                return body

    def named(self, text: str) -> str:
        if text == "{new}":
            return f"n{uuid4().hex[:12]}"
        return self.things[text[1:-1]] if text.startswith("{") else text


@pytest.fixture
async def scene(door: Door) -> AsyncGenerator[Scene]:
    document = (await door.owner.http.get(f"{door.served.url}/openapi.json")).json()
    async with everybody(door) as people:
        things = {
            **await _of_owner(door),
            **await _of_organization(door, people.http("org-admin")),
            "organization": str(door.organization),
            "user": str(door.owner.caller.user_id),
            "victim": str(people.id("reader")),
            "stranger": str(people.id("left")),
            "context": "general",
        }
        things |= {"aiProvider": things["provider"], "model_config": things["model"]}
        yield Scene(door, people, things, _operations(document))


async def _of_owner(door: Door) -> dict[str, str]:
    http = door.owner.http
    token = await http.post("/users/me/keys/tokens", json={})
    file = await http.post("/chats/files", params={"organization": str(door.organization)}, **_FILE)
    chat, notification = await door.create(), uuid4()
    row = {"id": notification, "user_id": door.owner.caller.user_id, "chat_id": UUID(chat["id"]), "turn": 1}
    async with door.engine.begin() as conn:
        await conn.execute(
            insert(inbox_notifications).values(**row, template_id=TURN_FINISHED, title="t", content="c")
        )
    return {"token": token.json()["id"], "file": file.json()["id"], "notification": str(notification)}


async def _of_organization(door: Door, admin: httpx2.AsyncClient) -> dict[str, str]:
    organization = str(door.organization)
    group = await admin.post(f"/organizations/{organization}/groups", json={"name": "g"})
    new = {"type": "anthropic", "name": f"p-{uuid4().hex[:12]}", "organization_id": organization}
    provider = await admin.post("/ai-providers", json={**new, "allow_user_api_key": True})
    model = {"ai_provider_id": provider.json()["id"], "model": "m", "context_limit": 1000}
    made = await admin.post(f"/organizations/{organization}/chats/models", json=model)
    limit = {"period": "day", "limit_micros": 10**12}
    budget = await admin.put(f"/organizations/{organization}/budgets", json=limit)
    return {
        "budget": budget.json()["id"],
        "group": group.json()["id"],
        "provider": provider.json()["id"],
        "model": made.json()["id"],
    }


def _operations(document: Any) -> dict[str, tuple[str, str]]:
    """Method and path of each operation that is not about one chat."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not path.startswith("/api/v2/chats/{chat}")
    }


def _expected(rule: Rule, whom: str) -> set[int]:
    if rule.open is not None:
        return {rule.open}
    if whom in NOBODIES:
        return {401}
    return {".": {200, 201, 204}, "F": {403}, "H": {404}}[rule.who[CALLERS.index(whom)]]


def test_the_table_has_a_letter_for_every_caller():
    assert {len(rule.who) for rule in RULES.values()} == {len(CALLERS)}


async def test_every_operation_is_in_the_table(scene: Scene):
    assert set(RULES) == set(scene.operations)


@pytest.mark.parametrize("whom", [*CALLERS, *NOBODIES])
async def test_each_caller_is_told_what_the_table_says(scene: Scene, whom: str):
    wrong: dict[str, int] = {}
    for operation, rule in RULES.items():
        expected = _expected(rule, whom)
        if rule.waits and 200 in expected:
            continue
        status = await scene.ask(whom, operation)
        if status not in expected:
            wrong[operation] = status
    assert wrong == {}


async def test_who_is_refused_changes_nothing(scene: Scene):
    """What others may not do leaves everything as it was, however often they try."""
    admin = scene.people.http("site-owner")

    async def found() -> list[Any]:
        things = scene.things
        organization = f"/organizations/{things['organization']}"
        paths = [
            *(f"/users/{things['victim']}/keys/tokens", f"/users/{things['user']}/ai-provider-keys"),
            *(f"{organization}{what}" for what in ("", "/members", "/groups", "/chats/models")),
            *(f"/groups/{things['group']}", f"/ai-providers/{things['provider']}"),
            *(f"{organization}/chats/model-overrides", "/chats/config/system-prompt"),
        ]
        return [(await admin.get(path)).json() for path in paths]

    before = await found()
    for whom in ("member", "auditor", "other-tenant", "left"):
        for operation, rule in RULES.items():
            if not _expected(rule, whom) & {200, 201, 204}:
                await scene.ask(whom, operation)
    assert await found() == before
