"""The list of chats: what is in it, in what order, and what it costs."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event

from api.schemas import Chat
from models.store import listing
from tests.api.conftest import Door
from tests.api.histories import LONG_AGO, add_child, archive, change, changed_at, listed, say, titles
from tests.api.people import share
from tests.api.served import text


async def test_pinned_chats_come_first_and_the_cursor_crosses_the_border(door: Door):
    made = {name: await door.create(name) for name in "abcdef"}
    for place, name in enumerate("abcdef"):
        await changed_at(door, made[name], place)
    for pin, name in ((1, "b"), (2, "e"), (3, "a")):
        await change(door, made[name], pin_order=pin)
    order = ["b", "e", "a", "f", "d", "c"]
    assert await titles(door) == order
    for size in (1, 2, 4):
        pages: list[str] = []
        cursor: dict[str, Any] = {}
        while page := await listed(door, limit=size, **cursor):
            pages += [chat["title"] for chat in page]
            cursor = {"after_id": page[-1]["id"]}
        assert pages == order
    assert await titles(door, limit=2, offset=2) == ["a", "f"]


async def test_chats_changed_at_the_same_time_are_ordered_by_id_through_all_pages(door: Door):
    made = [await door.create() for _ in range(5)]
    for chat in made:
        await changed_at(door, chat, 0)
    first = await listed(door, limit=2)
    rest = await listed(door, after_id=first[-1]["id"])
    assert [chat["id"] for chat in (*first, *rest)] == sorted((chat["id"] for chat in made), reverse=True)


async def test_pins_that_doubled_by_accident_lose_no_chat_between_pages(door: Door):
    made = [await door.create(name) for name in "abc"]
    for place, chat in enumerate(made):
        await changed_at(door, chat, place)
        await change(door, chat, pin_order=1)
    first = await listed(door, limit=1)
    assert [first[0]["title"], *await titles(door, after_id=first[0]["id"])] == ["c", "b", "a"]


async def test_children_are_within_their_root_newest_first(door: Door):
    root = await door.create("root")
    older = await add_child(door, root, title="older", created_at=LONG_AGO)
    newer = await add_child(door, root, title="newer", mode="explore")
    await say(door, older, "done")
    (shown,) = await listed(door)
    assert [child["id"] for child in shown["children"]] == [newer["id"], older["id"]]
    assert [child["has_unread"] for child in shown["children"]] == [False, True]
    assert [child.get("mode") for child in shown["children"]] == ["explore", None]
    for child in shown["children"]:
        assert (child["parent_chat_id"], child["root_chat_id"]) == (root["id"], root["id"])
        assert (child["diff_status"]["chat_id"], child["children"]) == (child["id"], [])
    assert shown["diff_status"]["chat_id"] == root["id"]
    Chat.model_validate(shown)
    alone = (await door.owner.http.get(f"/chats/{root['id']}")).json()
    assert alone["children"] == shown["children"]
    assert "diff_status" not in alone
    as_child = (await door.owner.http.get(f"/chats/{newer['id']}")).json()
    assert (as_child["children"], as_child["root_chat_id"]) == ([], root["id"])


async def test_of_many_children_the_newest_are_shown(door: Door, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listing, "MAX_CHILDREN", 2)
    roots = [await door.create(), await door.create()]
    for number in range(4):
        for root in roots:
            await add_child(door, root, title=f"{number}", created_at=LONG_AGO + timedelta(minutes=number))
    for shown in await listed(door):
        assert [child["title"] for child in shown["children"]] == ["3", "2"]
    alone = (await door.owner.http.get(f"/chats/{roots[0]['id']}")).json()
    assert [child["title"] for child in alone["children"]] == ["3", "2"]


async def test_children_follow_the_archived_filter(door: Door):
    root = await door.create("root")
    await add_child(door, root, title="active")
    await add_child(door, root, title="archived", archived=True)
    (shown,) = await listed(door)
    assert [child["title"] for child in shown["children"]] == ["active"]
    await change(door, root, archived=True, status="waiting")
    assert await listed(door) == []
    (shown,) = await listed(door, q="archived:true")
    alone = (await door.owner.http.get(f"/chats/{root['id']}")).json()
    for chat in (shown, alone):
        assert [child["title"] for child in chat["children"]] == ["archived"]


async def test_an_answer_beyond_the_read_mark_is_unread(door: Door):
    fresh = await door.create("fresh")
    answered = await door.create("answered")
    read = await door.create("read")
    await say(door, answered, "an answer")
    last = await say(door, read, "an answer")
    await say(door, read, "an afterthought", role="user")
    await change(door, read, last_read_message_id=last)
    hidden = await door.create("hidden")
    await say(door, hidden, "for the model", visibility="model")
    await say(door, hidden, "edited away", deleted=True)
    unread = {chat["title"]: chat["has_unread"] for chat in await listed(door)}
    assert unread == {"fresh": False, "answered": True, "read": False, "hidden": False}
    assert await titles(door, q="has_unread:true") == ["answered"]
    assert sorted(await titles(door, q="has_unread:false")) == ["fresh", "hidden", "read"]
    assert fresh["has_unread"] is False


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("source:created_by_me", ["mine"]),
        ("source:shared_with_me", []),
        ("source:shared_with_me,created_by_me", ["mine"]),
        ("source:shared_with_me SOURCE:created_by_me", ["mine"]),
        ("pr_status:draft,open pr_status:merged", []),
        ("diff_url:https://example.com/pull/1", []),
        ("pr:17", []),
        ("repo:a%b", []),
        ("pr_title:x title:mine", []),
        ("has_unread:f archived:0", ["mine"]),
    ],
)
async def test_what_a_query_finds(door: Door, q: str, found: list[str]):
    await door.create("mine")
    assert await titles(door, q=q) == found


@pytest.mark.parametrize(
    "q",
    [
        *("has_unread:maybe", "has_unread:", "archived:"),
        *("pr_status:green", "pr_status:open,,merged", "pr_status:"),
        *("source:theirs", "source:"),
        *("pr:0", "pr:-1", "pr:x", "pr:\u0661", "pr:", "repo:", "diff_url:", "pr_title:"),
        *("search:", 'search:"  "', "search:a title:b", "search:a pr_title:b", "search:a pr:1"),
        *("title:a title:b", "search:a search:b"),
        "title:" + "x" * 4096,
    ],
)
async def test_a_term_that_breaks_a_rule_is_refused(door: Door, q: str):
    response = await door.owner.http.get("/chats", params={"q": q})
    assert response.status_code == 400
    assert response.json()["validations"][0]["field"] == "q"


async def test_search_looks_into_titles_and_what_was_said(door: Door):
    tea = await door.create("tea")
    await change(door, tea, title="About Tea, and cups")
    talk = await door.create("talk")
    await say(door, talk, "Earl Grey is a black tea flavoured with bergamot.")
    await say(door, talk, "Bergamotte ist eine Zitrusfrucht; ÄPFEL nicht.")
    other = await door.create("other")
    await say(door, other, "secret bergamot", visibility="model")
    await say(door, other, "forgotten bergamot", deleted=True)
    await say(door, other, "bergamot found by a tool", role="tool")
    for words, found in [
        ("tea", ["talk", "About Tea, and cups"]),
        ("CUPS", ["About Tea, and cups"]),
        ("bergamot", ["talk"]),
        ('"grey bergamot"', ["talk"]),
        ("äpfel", ["talk"]),
        ('"cups bergamot"', []),
        ("berga", []),
        ("!!!", []),
        ("'", []),
        ("100%_", []),
    ]:
        assert await titles(door, q=f"search:{words}") == found, words
    assert await titles(door, q="search:tea has_unread:true") == ["talk"]
    assert (await door.other.http.get("/chats", params={"q": "search:tea"})).json() == []


async def test_search_reads_messages_that_hold_nul_and_backslashes(door: Door):
    chat = await door.create("strange")
    await say(door, chat, 'start\0middle \\u0000 C:\\\0end "\0\0quoted"')
    await say(door, chat, "word " * 100_000 + "unreached")
    await say(door, chat, " ".join(chr(0x20000 + n) for n in range(60_000)))
    for words, found in [("startmiddle", 1), ("u0000", 1), ("end", 1), ("quoted", 1), ("unreached", 0)]:
        assert len(await listed(door, q=f"search:{words}")) == found, words


async def test_keeping_the_words_findable_changes_no_version(door: Door):
    chat = await door.create("versions")
    before = (await door.owner.http.get(f"/chats/{chat['id']}")).json()
    await say(door, chat, "needle", revision=1)
    assert await titles(door, q="search:needle") == ["versions"]
    assert (await door.owner.http.get(f"/chats/{chat['id']}")).json() == before


async def test_shared_chats_are_listed_for_those_who_ask(door: Door):
    root = await door.create("theirs")
    await add_child(door, root, title="child")
    await door.create("private")
    mine = {"organization_id": str(door.organization), "content": text("mine")}
    await door.other.http.post("/chats", json=mine)
    await share(door.engine, root["id"], door.other.caller.user_id)
    for q, expected in [
        ("", ["mine"]),
        ("source:shared_with_me", ["theirs"]),
        ("source:created_by_me,shared_with_me", ["mine", "theirs"]),
        ("source:shared_with_me search:theirs", ["theirs"]),
        ("search:theirs", []),
    ]:
        found = (await door.other.http.get("/chats", params={"q": q})).json()
        assert sorted(chat["title"] for chat in found) == expected, q
    (shown,) = (await door.other.http.get("/chats", params={"q": "source:shared_with_me"})).json()
    assert ([child["title"] for child in shown["children"]], shown["shared"]) == (["child"], True)


async def test_the_number_of_statements_does_not_grow_with_the_list(door: Door):
    engine = door.served.app.state.services.engine.sync_engine
    statements: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "chats" in statement:  # uses of tokens are noted now and then
            statements.append(statement)

    async def count(**params: Any) -> int:
        statements.clear()
        await listed(door, **params)
        return len(statements)

    first = await door.create("first")
    await listed(door)  # the caller is known from here on
    event.listen(engine, "before_cursor_execute", note)
    try:
        few = await count()
        for number in range(8):
            root = await door.create(f"root {number}")
            for _ in range(3):
                await add_child(door, root)
            await say(door, root, "an answer")
        assert few == 2
        assert await count() == few
        assert await count(q="search:answer has_unread:true") == few
        assert await count(after_id=first["id"], limit=3) <= few + 1
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_limits_of_pages_are_kept(door: Door):
    assert await listed(door, limit=200, offset=2**31 - 1) == []
    for params in ({"limit": 0}, {"limit": 201}, {"offset": 2**31}, {"after_id": str(uuid4())}):
        response = await door.owner.http.get("/chats", params=params)
        assert response.status_code == 400


async def test_cost_sums_the_whole_family_from_root_and_child(door: Door):
    root = await door.create()
    child = await add_child(door, root)
    nothing = {"total_cost_micros": 0, "request_count": 0, "unpriced_request_count": 0}
    path = f"/chats/{root['id']}/cost"
    assert (await door.owner.http.get(path)).json() == {"chat_id": root["id"], **nothing}
    usage = {"input_tokens": 3}
    await say(door, root, "a", usage=usage, cost_micros=700)
    await say(door, root, "edited away", usage=usage, cost_micros=20, deleted=True)
    await say(door, child, "b", usage=usage, cost_micros=3)
    await say(door, child, "unpriced", usage=usage)
    await say(door, child, "cut off before the provider told anything")
    other = await door.create("of no relation")
    await say(door, other, "c", usage=usage, cost_micros=10_000)
    totals = {"total_cost_micros": 723, "request_count": 4, "unpriced_request_count": 1}
    for chat in (root, child):
        answer = await door.owner.http.get(f"/chats/{chat['id']}/cost")
        assert answer.json() == {"chat_id": chat["id"], **totals}
    assert (await door.other.http.get(path)).status_code == 404


async def test_lists_by_workspace_are_empty_and_check_their_ids(door: Door):
    async def ask(ids: str) -> tuple[int, Any]:
        response = await door.owner.http.get("/chats/by-workspace", params={"workspace_ids": ids})
        return response.status_code, response.json()

    assert await ask("") == (200, {})
    assert await ask(",".join(str(uuid4()) for _ in range(25))) == (200, {})
    for wrong in (",".join(str(uuid4()) for _ in range(26)), "x", f"{uuid4()},"):
        status, body = await ask(wrong)
        assert (status, body["validations"][0]["field"]) == (400, "workspace_ids")
    assert (await door.owner.http.get("/chats/by-workspace")).json() == {}


@pytest.mark.parametrize(
    ("prefix", "segment", "status"),
    [
        ("v2", "model-configs", 404),
        ("v2", "models", 404),
        ("v2", "providers", 404),
        ("v2", "providers/x", 404),
        ("v2", "user-provider-configs", 404),
        ("v2", "orchestrator", 404),
        ("v2", "orchestrator/messages", 404),
        ("v2", "usage/messages", 404),
        ("v2", "no-uuid", 400),
        ("experimental", "models", 404),
        ("experimental", "model-configs", 404),
        ("experimental", "providers", 410),
        ("experimental", "providers/x", 410),
        ("experimental", "user-provider-configs", 410),
        ("experimental", "user-provider-configs/x", 410),
    ],
)
async def test_reserved_words_are_no_ids(door: Door, prefix: str, segment: str, status: int):
    url = f"{door.served.url}/api/{prefix}/chats/{segment}"
    assert (await door.owner.http.get(url)).status_code == status
    async with type(door.owner.http)() as nobody:
        assert (await nobody.get(url)).status_code == 401
    if "/" not in segment and segment not in ("orchestrator", "no-uuid"):
        assert (await door.owner.http.post(url)).status_code == status


async def test_archived_chats_leave_the_list_and_their_pin(door: Door):
    chat, other = await door.create("one"), await door.create("two")
    await change(door, chat, pin_order=1)
    await change(door, other, pin_order=2)
    await archive(door, chat)
    assert [(c["title"], c["pin_order"]) for c in await listed(door)] == [("two", 2)]
    (archived,) = await listed(door, q="archived:true")
    assert (archived["title"], archived["pin_order"]) == ("one", 0)
    assert UUID(archived["id"]) == UUID(chat["id"])
