"""Providers and users' keys through the API: who may, what is refused, and that no key ever comes out."""

import logging
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import text

from tests.api.conftest import Door
from tests.api.people import People
from tests.api.served import Body

KEY = "sk-ant-a-key-that-nobody-may-see"


def named() -> str:
    return f"p-{uuid4().hex[:8]}"


def new(door: Door, **more: object) -> Body:
    return {"type": "anthropic", "name": named(), "organization_id": str(door.organization), **more}


async def add(http: httpx2.AsyncClient, body: Body) -> Body:
    answer = await http.post("/ai-providers", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_provider_is_added_changed_and_deleted(door: Door, people: People):
    http = people.http("org-admin")
    made = await add(http, new(door, api_key=KEY, settings={"region": "eu"}))
    assert (made["has_api_key"], made["api_key_source"], made["enabled"]) == (True, "stored", True)
    path = f"/ai-providers/{made['id']}"
    assert (await http.get(path)).json() == made
    assert made["id"] in {one["id"] for one in (await http.get("/ai-providers")).json()}

    changed = (await http.patch(path, json={"display_name": "Other", "enabled": False})).json()
    assert (changed["display_name"], changed["enabled"], changed["has_api_key"]) == ("Other", False, True)
    without = (await http.patch(path, json={"api_key": None})).json()
    assert (without["has_api_key"], without["api_key_source"]) == (False, None)

    assert (await http.delete(path)).status_code == 204
    assert (await http.get(path)).status_code == 404
    assert (await http.delete(path)).status_code == 404


async def test_a_name_is_taken_until_its_provider_is_deleted(door: Door, people: People):
    http, body = people.http("org-admin"), new(door)
    made = await add(http, body)
    assert (await http.post("/ai-providers", json=body)).status_code == 409
    other = await add(http, new(door))
    renamed = await http.patch(f"/ai-providers/{other['id']}", json={"name": body["name"]})
    assert renamed.status_code == 409
    await http.delete(f"/ai-providers/{made['id']}")
    await add(http, body)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "mistral"}, "type"),
        ({"name": "A b"}, "name"),
        ({"type": "azure"}, "base_url"),
        ({"type": "openai-compat"}, "base_url"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "https://user:pass@host"}, "base_url"),
        ({"base_url": "https://host/?key=1"}, "base_url"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": " x"}, "api_key"),
        ({"api_key": "x" * 10_241}, "api_key"),
        ({"settings": {"regoin": "eu"}}, "settings.regoin"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_its_field(
    door: Door, people: People, body: Body, field: str
):
    answer = await people.http("org-admin").post("/ai-providers", json={**new(door), **body})
    assert answer.status_code == 400
    assert [problem["field"] for problem in answer.json()["validations"]] == [field]


async def test_who_may_administer_what(door: Door, people: People):
    site, admin = people.http("site-owner"), people.http("org-admin")
    everybodys = await add(site, {"type": "openai", "name": named()})
    ours = await add(admin, new(door))
    assert (await admin.post("/ai-providers", json={"type": "openai", "name": named()})).status_code == 403
    assert (await admin.get(f"/ai-providers/{everybodys['id']}")).status_code == 200
    for method in ("patch", "delete"):
        path = f"/ai-providers/{everybodys['id']}"
        body = {"json": {"enabled": False}} if method == "patch" else {}
        assert (await getattr(admin, method)(path, **body)).status_code == 403
    assert (await site.patch(f"/ai-providers/{ours['id']}", json={"icon": "x"})).status_code == 200
    for whom in ("member", "auditor"):
        assert (await people.http(whom).get("/ai-providers")).status_code == 403
        assert (await people.http(whom).get(f"/ai-providers/{ours['id']}")).status_code == 403
        assert (await people.http(whom).post("/ai-providers", json=new(door))).status_code == 403
    assert (await people.http("other-tenant").get(f"/ai-providers/{ours['id']}")).status_code == 404
    assert (await people.http("other-tenant").delete(f"/ai-providers/{ours['id']}")).status_code == 404
    assert (await people.http("nobody").get("/ai-providers")).status_code == 401
    await site.delete(f"/ai-providers/{everybodys['id']}")


async def test_a_check_asks_for_no_model_of_an_organization_that_is_somebody_elses(
    door: Door, people: People
):
    site, stranger = people.http("site-owner"), people.by_name["other-tenant"]
    everybodys = await add(site, {"type": "openai", "name": named(), "api_key": KEY})
    theirs = await stranger.http.post(
        f"/organizations/{stranger.caller.memberships[0][0]}/chats/models",
        json={"ai_provider_id": everybodys["id"], "model": "a-secret-of-theirs", "context_limit": 10},
    )
    assert theirs.status_code == 201, theirs.text
    answer = await people.http("org-admin").post(f"/ai-providers/{everybodys['id']}/check", json={})
    assert answer.status_code == 400, answer.text
    assert answer.json()["validations"][0]["field"] == "model"
    await site.delete(f"/ai-providers/{everybodys['id']}")


async def test_users_bring_their_own_keys_where_that_is_allowed(door: Door, people: People):
    admin, member = people.http("org-admin"), door.other.http
    made = await add(admin, new(door))
    path = f"/users/me/ai-provider-keys/{made['id']}"
    assert (await member.put(path, json={"api_key": KEY})).status_code == 403
    await admin.patch(f"/ai-providers/{made['id']}", json={"allow_user_api_key": True})

    stored = await member.put(path, json={"api_key": KEY})
    assert (stored.status_code, stored.json()["has_user_api_key"]) == (200, True)
    (shown,) = [
        k
        for k in (await member.get("/users/me/ai-provider-keys")).json()
        if k["provider"]["id"] == made["id"]
    ]
    assert shown == stored.json()
    assert shown["byok_enabled"] is True

    await admin.patch(f"/ai-providers/{made['id']}", json={"enabled": False})
    assert (await member.put(path, json={"api_key": KEY})).status_code == 412
    listed = (await member.get("/users/me/ai-provider-keys")).json()
    assert made["id"] in {k["provider"]["id"] for k in listed}, "disabled, but a key is stored"
    assert (await member.delete(path)).status_code == 204
    assert (await member.delete(path)).status_code == 204
    listed = (await member.get("/users/me/ai-provider-keys")).json()
    assert made["id"] not in {k["provider"]["id"] for k in listed}


async def test_whose_keys_these_are(door: Door, people: People):
    admin = people.http("org-admin")
    made = await add(admin, new(door, allow_user_api_key=True))
    path = f"/users/{people.id('member')}/ai-provider-keys"
    assert (await people.http("reader").get(path)).status_code == 403
    assert (await people.http("other-tenant").get(path)).status_code == 404
    assert (await admin.put(f"{path}/{made['id']}", json={"api_key": KEY})).status_code == 200
    assert (await door.other.http.get(path)).json()[-1]["has_user_api_key"] is True
    assert (await admin.put(f"{path}/nonsense", json={"api_key": KEY})).status_code == 400
    assert (await admin.put(f"{path}/{uuid4()}", json={"api_key": KEY})).status_code == 404
    for bad in ("", " k", "k" * 10_241):
        assert (await admin.put(f"{path}/{made['id']}", json={"api_key": bad})).status_code == 400


async def test_no_key_is_ever_told_stored_readably_or_logged(
    door: Door, people: People, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    admin = people.http("org-admin")
    body = new(door, api_key=KEY, allow_user_api_key=True)
    answers = [await admin.post("/ai-providers", json=body)]
    made = answers[0].json()
    path = f"/ai-providers/{made['id']}"
    answers += [
        await admin.patch(path, json={"api_key": f"{KEY}2"}),
        await admin.get("/ai-providers"),
        await admin.put(f"/users/me/ai-provider-keys/{made['id']}", json={"api_key": f"{KEY}3"}),
        await admin.get("/users/me/ai-provider-keys"),
        await admin.get(f"/organizations/{door.organization}/chats/models"),
        await admin.post("/ai-providers", json=body),  # refused: the name is taken
        await admin.post("/ai-providers", json={**body, "name": "A b"}),  # refused: not valid
        await admin.post("/ai-providers", json={**body, "api_key": f" {KEY}"}),  # refused for the key itself
        await admin.get("/audit", params={"limit": 50}),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200, 200, 409, 400, 400, 200]
    assert not [answer.text for answer in answers if KEY in answer.text]
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err + caplog.text
    async with door.engine.connect() as conn:
        tables = [
            row[0]
            for row in await conn.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        ]
        for table in tables:
            found = await conn.scalar(
                text(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%' || :key || '%'"), {"key": KEY}
            )
            assert found == 0, table
            encoded = await conn.scalar(
                text(
                    f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%' || encode(:key, 'hex') || '%'"
                ),
                {"key": KEY.encode()},
            )
            assert encoded == 0, table


async def test_what_administrators_do_is_in_the_audit_log(door: Door, people: People):
    admin = people.http("org-admin")
    made = await add(admin, new(door, api_key=KEY))
    await admin.patch(f"/ai-providers/{made['id']}", json={"enabled": False})
    await people.http("member").delete(f"/ai-providers/{made['id']}")
    await admin.delete(f"/ai-providers/{made['id']}")
    lines = (await admin.get("/audit", params={"target_id": made["id"]})).json()["audit_logs"]
    assert [(line["action"], line["outcome"]) for line in lines] == [
        ("delete", "done"),
        ("write", "done"),
        ("create", "done"),
    ]
    assert lines[1]["changes"] == {"enabled": False}


async def test_without_a_master_key_no_key_is_taken(door: Door, people: People):
    services = door.served.app.state.services
    master = services.keys.master
    object.__setattr__(services.keys, "master", type(master)())
    try:
        refused = await people.http("org-admin").post("/ai-providers", json=new(door, api_key=KEY))
        assert refused.status_code == 503
        assert "PERDURE_MASTER_KEYS" in refused.json()["detail"]
        await add(people.http("org-admin"), new(door))
    finally:
        object.__setattr__(services.keys, "master", master)


async def test_chats_are_refused_on_models_that_cannot_be_called(door: Door, people: People):
    admin = people.http("org-admin")
    made = await add(admin, new(door))
    model = await admin.post(
        f"/organizations/{door.organization}/chats/models",
        json={"ai_provider_id": made["id"], "model": "m", "context_limit": 10},
    )
    body = {
        "organization_id": str(door.organization),
        "content": [{"type": "text", "text": "hello"}],
        "model_config_id": model.json()["id"],
    }
    assert (await door.owner.http.post("/chats", json=body)).status_code == 400, "there is no key"
    await admin.patch(f"/ai-providers/{made['id']}", json={"api_key": KEY})
    created = await door.owner.http.post("/chats", json=body)
    assert created.status_code == 201, created.text
    assert UUID(created.json()["last_model_config_id"]) == UUID(model.json()["id"])
    await admin.patch(f"/ai-providers/{made['id']}", json={"enabled": False})
    assert (await door.owner.http.post("/chats", json=body)).status_code == 400
