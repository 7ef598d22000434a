"""Who may do what to a chat: every kind of caller at every door."""

from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import update

from models.permissions import CHATS, Access, ChatAction, Verdict
from models.store.tables import chats
from tests.api.conftest import Door
from tests.api.people import NOBODIES, People, share
from tests.api.served import Body, text

RELATIONS: dict[str, Access | None] = {
    "owner": Access.OWNER,
    "org-owner": Access.ADMIN,
    "org-admin": Access.ADMIN,
    "site-owner": Access.ADMIN,
    "auditor": Access.AUDITOR,
    "reader": Access.READER,
    "member": None,
    "other-tenant": None,
    "left": None,
}

_RESULT = {"results": [{"tool_call_id": "none", "output": 1}]}
_DECISION = {"approvals": [{"tool_call_id": "none", "decision": "deny"}]}

ROUTES: list[tuple[ChatAction, str, str, Body | None]] = [
    (ChatAction.READ, "GET", "", None),
    (ChatAction.READ, "GET", "/cost", None),
    (ChatAction.READ, "GET", "/messages", None),
    (ChatAction.READ, "GET", "/prompts", None),
    (ChatAction.READ, "GET", "/stream", None),
    (ChatAction.READ, "GET", "/acl", None),
    (ChatAction.SHARE, "PATCH", "/acl", {"user_roles": {}}),
    (ChatAction.UPDATE, "PATCH", "", {"labels": {"a": "b"}}),
    (ChatAction.UPDATE, "POST", "/interrupt", None),
    (ChatAction.UPDATE, "POST", "/reconcile-invalid", None),
    (ChatAction.UPDATE, "DELETE", "/queue/{queued_message}", None),
    (ChatAction.RUN, "POST", "/queue/{queued_message}/promote", None),
    (ChatAction.RUN, "POST", "/messages", {"content": text("and now?")}),
    (ChatAction.RUN, "PATCH", "/messages/{message}", {"content": []}),
    (ChatAction.RUN, "POST", "/compact", None),
    (ChatAction.RUN, "POST", "/clear", None),
    (ChatAction.RUN, "POST", "/title/propose", None),
    (ChatAction.RUN, "POST", "/tool-results", _RESULT),
    (ChatAction.RUN, "POST", "/approvals", _DECISION),
]

WAITS = ("/title/propose",)
"""Who is let in waits for a worker, which is not here; what happens then has tests of its own."""

# let in: what happens next is the business of the route, here without a worker
ALLOWED = {200, 204, 400, 409, 503}


async def status_of(http: httpx2.AsyncClient, method: str, path: str, body: Body | None) -> int:
    async with http.stream(method, path, json=body) as response:
        return response.status_code


@pytest.mark.parametrize("whom", [*RELATIONS, *NOBODIES])
async def test_each_caller_may_what_the_table_says_at_every_route(door: Door, people: People, whom: str):
    chat = await door.create()
    await share(door.engine, chat["id"], people.id("reader"))
    for action, method, path, body in ROUTES:
        access = RELATIONS.get(whom)
        verdict = Verdict.HIDDEN if access is None else CHATS[access][action]
        if verdict is Verdict.ALLOWED and path in WAITS:
            continue
        expected = {
            Verdict.ALLOWED: ALLOWED,
            Verdict.FORBIDDEN: {403},
            Verdict.HIDDEN: {401} if whom in NOBODIES else {404},
        }[verdict]
        there = path.format(queued_message=1, message=1)
        status = await status_of(people.http(whom), method, f"/chats/{chat['id']}{there}", body)
        assert status in expected, (whom, method, path)


async def test_every_route_of_a_chat_is_in_the_table(door: Door):
    async with httpx2.AsyncClient(base_url=door.served.url) as http:
        document = (await http.get("/openapi.json")).json()
    there = {
        (method.upper(), path.removeprefix("/api/v2/chats/{chat}"))
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith("/api/v2/chats/{chat}")
    }
    assert there == {(method, path) for _, method, path, _ in ROUTES}


@pytest.mark.parametrize("whom", ["org-owner", "org-admin", "site-owner"])
async def test_an_administrator_changes_what_is_not_theirs(door: Door, people: People, whom: str):
    chat = await door.create()
    path = f"/chats/{chat['id']}"
    assert (await people.http(whom).patch(path, json={"title": "Tidied"})).status_code == 204
    assert (await door.owner.http.get(path)).json()["title"] == "Tidied"


@pytest.mark.parametrize("whom", ["auditor", "reader", "member", "other-tenant"])
async def test_what_a_caller_may_not_change_stays_as_it_is(door: Door, people: People, whom: str):
    chat = await door.create()
    path = f"/chats/{chat['id']}"
    await share(door.engine, chat["id"], people.id("reader"))
    before = (await door.owner.http.get(path)).json()
    assert (await people.http(whom).patch(path, json={"title": "Mine", "labels": {}})).status_code == 404
    assert (await door.owner.http.get(path)).json() == before


async def test_children_are_shared_with_their_root(door: Door, people: People):
    root, child = await door.create(), await door.create()
    async with door.engine.begin() as conn:
        await conn.execute(
            update(chats)
            .where(chats.c.id == UUID(child["id"]))
            .values(parent_chat_id=UUID(root["id"]), root_chat_id=UUID(root["id"]))
        )
    reader = people.http("reader")
    assert (await reader.get(f"/chats/{child['id']}")).status_code == 404
    await share(door.engine, root["id"], people.id("reader"))
    seen = await reader.get(f"/chats/{child['id']}")
    assert seen.status_code == 200
    assert seen.json()["shared"] is True
    assert (await reader.get(f"/chats/{child['id']}/messages")).status_code == 200


async def test_who_leaves_an_organization_loses_what_they_had_there(door: Door, people: People):
    chat = await door.create()
    await share(door.engine, chat["id"], people.id("left"))
    assert (await people.http("left").get(f"/chats/{chat['id']}")).status_code == 404
    async with door.engine.begin() as conn:
        await conn.execute(
            update(chats).where(chats.c.id == UUID(chat["id"])).values(owner_id=people.id("left"))
        )
    assert (await people.http("left").get(f"/chats/{chat['id']}")).status_code == 404
    assert (await people.http("left").get("/chats")).json() == []


async def test_an_auditor_makes_no_chats(door: Door, people: People):
    body = {"organization_id": str(door.organization), "content": text("hi")}
    assert (await people.http("auditor").post("/chats", json=body)).status_code == 403
    assert (await people.http("site-owner").post("/chats", json=body)).status_code == 403
    assert (await people.http("org-admin").post("/chats", json=body)).status_code == 201


async def test_the_list_holds_the_callers_own_chats_only(door: Door, people: People):
    await door.create()
    for whom in ("org-owner", "org-admin", "auditor", "member", "site-owner"):
        assert (await people.http(whom).get("/chats")).json() == [], whom


async def test_a_chat_that_does_not_exist_looks_like_one_that_is_not_shown(door: Door, people: People):
    chat = await door.create()
    stranger = people.http("other-tenant")
    same = {"X-Request-Id": "same"}
    hidden = await stranger.get(f"/chats/{chat['id']}", headers=same)
    absent = await stranger.get(f"/chats/{uuid4()}", headers=same)
    assert (hidden.status_code, hidden.json()) == (absent.status_code, absent.json())
