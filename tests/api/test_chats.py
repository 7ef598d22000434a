"""Chats: made, listed, read, edited."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from api.schemas import Chat
from models.store.tables import chats, messages
from tests.api.conftest import Door
from tests.api.served import text


async def test_a_new_chat_runs_and_is_titled_from_its_first_words(door: Door):
    chat = await door.create("one two three four five six seven")
    assert chat["status"] == "running"
    assert chat["title"] == "one two three four five six…"
    assert chat["last_model_config_id"] == str(door.model)
    assert (chat["children"], chat["mcp_server_ids"], chat["labels"]) == ([], [], {})
    assert chat["last_turn_summary"] is None
    assert "last_error" not in chat
    Chat.model_validate(chat)


async def test_first_rows_are_hidden_prompts_and_the_message(door: Door):
    chat = await door.create("hi", system_prompt="  Speak like a sailor.  ")
    async with door.engine.connect() as conn:
        rows = (
            await conn.execute(
                select(messages).where(messages.c.chat_id == UUID(chat["id"])).order_by(messages.c.id)
            )
        ).all()
        row = (await conn.execute(select(chats).where(chats.c.id == UUID(chat["id"])))).one()
    assert [(r.role, r.visibility, r.revision, r.turn, r.step) for r in rows] == [
        ("system", "model", 1, 1, 0),
        ("system", "model", 1, 1, 0),
        ("user", "both", 1, 1, 0),
    ]
    assert rows[1].content[0]["text"] == "Speak like a sailor."
    counters = (row.snapshot_version, row.history_version, row.queue_version, row.generation_attempt)
    assert counters == (1, 1, 0, 0)
    shown = (await door.owner.http.get(f"/chats/{chat['id']}/messages")).json()
    assert [m["role"] for m in shown["messages"]] == ["user"]


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("short", "short"),
        ("  many   spaces\nand\tlines ", "many spaces and lines"),
        ("x" * 200, "x" * 79 + "…"),
        ("nul \0 here", "nul here"),
        ("\u200b", "New Chat"),
    ],
)
async def test_titles(door: Door, words: str, title: str):
    assert (await door.create(words))["title"] == title


async def test_a_file_reference_alone_gives_the_title(door: Door):
    content = [{"type": " File-Reference ", "file_name": "main.py", "start_line": 1, "end_line": 2}]
    chat = await door.create(content=content)
    assert chat["title"] == "main.py"
    shown = (await door.owner.http.get(f"/chats/{chat['id']}/messages")).json()
    assert shown["messages"][0]["content"] == [
        {"type": "file-reference", "file_name": "main.py", "start_line": 1, "end_line": 2, "content": ""}
    ]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"organization_id": None}, 400, "organization_id"),
        ({"content": None}, 400, "content"),
        ({"content": []}, 400, "content"),
        ({"content": text("  ")}, 400, "content[0].text"),
        ({"content": [*text("a"), {"type": "file-reference"}]}, 400, "content[1].file_name"),
        ({"content": [{"type": "file", "file_id": str(uuid4())}]}, 400, "content[0].file_id"),
        ({"content": [{"type": "hook-context", "text": "x"}]}, 400, "content[0].type"),
        ({"content": [{"type": "text", "text": 5}]}, 400, "content[0].text"),
        ({"model_config_id": str(uuid4())}, 400, "model_config_id"),
        ({"model_config_id": str(UUID(int=0))}, 400, "model_config_id"),
        ({"client_type": "fax"}, 400, "client_type"),
        ({"plan_mode": "plan"}, 400, "plan_mode"),
        ({"workspace_id": str(uuid4())}, 400, "workspace_id"),
        ({"mcp_server_ids": [str(uuid4())]}, 400, "mcp_server_ids"),
        ({"labels": {"": "x"}}, 400, "labels"),
        ({"labels": {"-a": "x"}}, 400, "labels"),
        ({"labels": {"a\n": "x"}}, 400, "labels"),
        ({"labels": {"a" * 65: "x"}}, 400, "labels"),
        ({"labels": {"a": ""}}, 400, "labels"),
        ({"labels": {"a": "\0"}}, 400, "labels"),
        ({"labels": {"a": "é" * 129}}, 400, "labels"),
        ({"labels": {f"a{n}": "x" for n in range(51)}}, 400, "labels"),
    ],
)
async def test_what_breaks_a_rule_is_named(door: Door, change: dict[str, object], status: int, field: str):
    body = {"organization_id": str(door.organization), "content": text("hi"), **change}
    response = await door.owner.http.post(
        "/chats", json={name: value for name, value in body.items() if value is not None}
    )
    assert response.status_code == status
    assert field in [problem["field"] for problem in response.json()["validations"]]


async def test_limits_are_inclusive_and_empty_features_are_accepted(door: Door):
    labels = {f"a{n}": "é" * 128 for n in range(49)} | {"a" * 64: "x"}
    chat = await door.create(
        labels=labels, mcp_server_ids=[], plan_mode="", workspace_id=None, reasoning_effort=None, unknown=1
    )
    assert chat["labels"] == labels


async def test_another_organization_is_forbidden(door: Door):
    body = {"organization_id": str(uuid4()), "content": text("hi")}
    assert (await door.owner.http.post("/chats", json=body)).status_code == 403


async def test_a_repeated_create_finds_the_same_chat(door: Door):
    body = {"organization_id": str(door.organization), "content": text("hi")}
    headers = {"Idempotency-Key": "create-1"}
    first = await door.owner.http.post("/chats", json=body, headers=headers)
    again = await door.owner.http.post("/chats", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await door.owner.http.post("/chats", json={**body, "content": text("ho")}, headers=headers)
    assert other.status_code == 422
    assert other.json()["validations"][0]["field"] == "Idempotency-Key"
    elsewhere = await door.other.http.post("/chats", json=body, headers=headers)
    assert elsewhere.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
async def test_keys_must_be_printable(door: Door, key: str):
    body = {"organization_id": str(door.organization), "content": text("hi")}
    response = await door.owner.http.post("/chats", json=body, headers={"Idempotency-Key": key})
    assert response.status_code == 400


async def test_a_chat_of_somebody_else_does_not_exist(door: Door):
    chat = await door.create()
    path = f"/chats/{chat['id']}"
    assert (await door.other.http.get(path)).status_code == 404
    assert (await door.other.http.get(f"{path}/messages")).status_code == 404
    assert (await door.other.http.post(f"{path}/messages", json={"content": text("x")})).status_code == 404
    assert (await door.other.http.patch(path, json={"title": "mine"})).status_code == 404
    assert (await door.other.http.post(f"{path}/interrupt")).status_code == 404
    assert (await door.other.http.get(f"{path}/stream")).status_code == 404
    assert (await door.other.http.get("/chats")).json() == []
    cursor = await door.other.http.get("/chats", params={"after_id": chat["id"]})
    assert cursor.status_code == 400


async def test_list_pages_are_in_order_and_complete(door: Door):
    made = [(await door.create(f"chat {n}"))["id"] for n in range(5)]
    first = (await door.owner.http.get("/chats", params={"limit": 2})).json()
    second = (await door.owner.http.get("/chats", params={"limit": 2, "after_id": first[-1]["id"]})).json()
    rest = (await door.owner.http.get("/chats", params={"offset": 4})).json()
    assert [chat["id"] for chat in (*first, *second, *rest)] == made[::-1]


async def test_list_filters(door: Door):
    await door.create("Alpha 100% sure", labels={"team": "a:b", "env": "prod"})
    await door.create("beta", labels={"team": "x"})
    for params, expected in [
        ({"q": 'title:"ALPHA 100% s"'}, ["Alpha 100% sure"]),
        ({"q": "title:100_"}, []),
        ({"q": "archived:true"}, []),
        ({"q": "archived:false title:bet"}, ["beta"]),
        ({"label": ["team:a:b", "env:prod"]}, ["Alpha 100% sure"]),
        ({"label": ["team:x", "env:prod"]}, []),
    ]:
        found = await door.owner.http.get("/chats", params=params)
        assert [chat["title"] for chat in found.json()] == expected, params


@pytest.mark.parametrize(
    "params",
    [
        {"q": "word"},
        {"q": "color:red"},
        {"q": "title:"},
        {"q": 'title:"open'},
        {"q": "archived:maybe"},
        {"q": "title:a\0b"},
        {"label": "a"},
        {"label": ":b"},
        {"label": "a:"},
        {"limit": 0},
        {"limit": 201},
        {"offset": -1},
        {"after_id": "x"},
    ],
)
async def test_what_the_list_does_not_understand(door: Door, params: dict[str, str]):
    response = await door.owner.http.get("/chats", params=params)
    assert response.status_code == 400
    assert response.json()["validations"][0]["field"] == next(iter(params))


async def test_a_title_edit_keeps_place_and_counters(door: Door):
    chat = await door.create()
    response = await door.owner.http.patch(f"/chats/{chat['id']}", json={"title": f"  {'é' * 200} "})
    assert (response.status_code, response.content) == (204, b"")
    now = (await door.owner.http.get(f"/chats/{chat['id']}")).json()
    assert now == {**chat, "title": "é" * 200}


async def test_labels_are_replaced_and_touch_the_chat(door: Door):
    chat = await door.create(labels={"a": "1"})
    await door.owner.http.patch(f"/chats/{chat['id']}", json={"labels": {"b": "2"}})
    now = (await door.owner.http.get(f"/chats/{chat['id']}")).json()
    assert now["labels"] == {"b": "2"}
    assert now["updated_at"] > chat["updated_at"]
    await door.owner.http.patch(f"/chats/{chat['id']}", json={"labels": {}})
    assert (await door.owner.http.get(f"/chats/{chat['id']}")).json()["labels"] == {}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": "x" * 201}, "title"),
        ({"title": "  "}, "title"),
        ({"title": "a\0"}, "title"),
        ({"labels": {"": ""}}, "labels"),
        ({"archived": False}, "archived"),
        ({"archived": "perhaps"}, "archived"),
        ({"pin_order": -1}, "pin_order"),
        ({"plan_mode": "plan"}, "plan_mode"),
    ],
)
async def test_a_refused_edit_changes_nothing(door: Door, wrong: dict[str, object], field: str):
    chat = await door.create()
    response = await door.owner.http.patch(f"/chats/{chat['id']}", json={"title": "new", **wrong})
    assert response.status_code == 400
    assert response.json()["validations"][0]["field"] == field
    assert (await door.owner.http.get(f"/chats/{chat['id']}")).json() == chat


async def test_archiving_without_a_worker_changes_nothing(door: Door):
    chat = await door.create()
    response = await door.owner.http.patch(f"/chats/{chat['id']}", json={"title": "new", "archived": True})
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    assert (await door.owner.http.get(f"/chats/{chat['id']}")).json() == chat


async def test_interrupting_without_a_worker_is_unavailable(door: Door):
    chat = await door.create()
    assert (await door.owner.http.post(f"/chats/{chat['id']}/interrupt")).status_code == 503


async def test_an_error_is_shown_on_the_chat(door: Door):
    chat = await door.create()
    error = {"message": "Demo is overloaded.", "kind": "overloaded", "retryable": True}
    async with door.engine.begin() as conn:
        await conn.execute(
            update(chats).where(chats.c.id == UUID(chat["id"])).values(status="error", last_error=error)
        )
    now = (await door.owner.http.get(f"/chats/{chat['id']}")).json()
    assert (now["status"], now["last_error"]) == ("error", error)
    Chat.model_validate(now)


async def test_both_prefixes_serve_the_same(door: Door):
    chat = await door.create()
    url = f"{door.served.url}/api/experimental/chats/{chat['id']}"
    assert (await door.owner.http.get(url)).json() == chat
