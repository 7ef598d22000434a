"""Changing a chat: pins, and what happens together or not at all."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import func, select

from models.store.chats import find_chat
from models.store.edits import Edit, stage_edit
from models.store.pins import close_gaps
from models.store.tables import chats, staged_edits
from tests.api.conftest import Door
from tests.api.histories import add_child, archive, change, listed
from tests.api.served import Body


async def patch(door: Door, chat: Body, **changes: Any) -> httpx2.Response:
    return await door.owner.http.patch(f"/chats/{chat['id']}", json=changes)


async def pin(door: Door, chat: Body, place: int) -> None:
    response = await patch(door, chat, pin_order=place)
    assert response.status_code == 204, response.text


async def pins(door: Door) -> list[tuple[str, int]]:
    return [(chat["title"], chat["pin_order"]) for chat in await listed(door) if chat["pin_order"]]


@pytest.fixture
async def pinned(door: Door) -> dict[str, Body]:
    """Four chats, pinned in the order of their names."""
    made = {name: await door.create(name) for name in "abcd"}
    for chat in made.values():
        await pin(door, chat, 1)
    return made


async def test_a_new_pin_comes_last_whatever_its_number(door: Door, pinned: dict[str, Body]):
    assert await pins(door) == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]


@pytest.mark.parametrize(
    ("name", "place", "order"),
    [("a", 3, "bcad"), ("d", 1, "dabc"), ("b", 2, "abcd"), ("c", 99, "abdc"), ("a", 2**40, "bcda")],
)
async def test_a_pinned_chat_moves(door: Door, pinned: dict[str, Body], name: str, place: int, order: str):
    before = (await door.owner.http.get(f"/chats/{pinned[name]['id']}")).json()
    await pin(door, pinned[name], place)
    assert await pins(door) == [(chat, number) for number, chat in enumerate(order, 1)]
    after = (await door.owner.http.get(f"/chats/{pinned[name]['id']}")).json()
    assert {**after, "pin_order": 0} == {**before, "pin_order": 0}, "a pin is no change of the chat"


async def test_unpinning_closes_the_gap(door: Door, pinned: dict[str, Body]):
    await pin(door, pinned["b"], 0)
    await pin(door, pinned["b"], 0)
    assert await pins(door) == [("a", 1), ("c", 2), ("d", 3)]


async def test_the_next_pin_heals_gaps_and_doubles(door: Door, pinned: dict[str, Body]):
    await change(door, pinned["a"], pin_order=7)
    await change(door, pinned["b"], pin_order=7)
    await archive(door, pinned["c"])
    await pin(door, pinned["d"], 2)
    found = await pins(door)
    assert [number for _, number in found] == [1, 2, 3]
    assert found[1][0] == "d"


async def test_archiving_leaves_a_gap_that_is_closed(door: Door, pinned: dict[str, Body]):
    await archive(door, pinned["b"])
    await close_gaps(door.engine, door.owner.caller.user_id)
    assert await pins(door) == [("a", 1), ("c", 2), ("d", 3)]


async def test_pins_at_the_same_time_leave_no_gap_and_no_double(door: Door):
    made = [await door.create(str(number)) for number in range(6)]
    await asyncio.gather(*(pin(door, chat, 1) for chat in made))
    assert [number for _, number in await pins(door)] == [1, 2, 3, 4, 5, 6]
    await asyncio.gather(*(pin(door, chat, place % 4) for place, chat in enumerate(made)))
    assert [number for _, number in await pins(door)] == [1, 2, 3, 4]


async def test_pins_and_archiving_at_the_same_time_do_not_block_each_other(door: Door):
    made = [await door.create(str(number)) for number in range(6)]
    for chat in made:
        await pin(door, chat, 1)
    await asyncio.gather(
        *(archive(door, chat) for chat in made[:3]), *(pin(door, chat, 1) for chat in made[3:])
    )
    await close_gaps(door.engine, door.owner.caller.user_id)
    assert [number for _, number in await pins(door)] == [1, 2, 3]
    async with door.engine.connect() as conn:
        of_owner = chats.c.owner_id == door.owner.caller.user_id
        kept = select(func.count()).where(of_owner, chats.c.archived, chats.c.pin_order > 0)
        assert await conn.scalar(kept) == 0


async def test_pins_are_each_owners_own(door: Door, pinned: dict[str, Body]):
    body = {"organization_id": str(door.organization), "content": [{"type": "text", "text": "hi"}]}
    theirs = (await door.other.http.post("/chats", json=body)).json()
    await door.other.http.patch(f"/chats/{theirs['id']}", json={"pin_order": 3})
    assert (await door.other.http.get("/chats")).json()[0]["pin_order"] == 1
    assert len(await pins(door)) == 4


async def test_neither_archived_chats_nor_children_can_be_pinned(door: Door):
    chat = await door.create()
    child = await add_child(door, chat, status="waiting")
    await archive(door, chat)
    for which in (chat, child):
        response = await patch(door, which, pin_order=1, title="new")
        assert response.status_code == 400
        assert response.json()["validations"][0]["field"] == "pin_order"
        assert (await patch(door, which, pin_order=0)).status_code == 204
    assert (await door.owner.http.get(f"/chats/{chat['id']}")).json()["title"] == chat["title"]


@pytest.mark.parametrize("archived", [True, False])
async def test_children_are_not_archived_alone(door: Door, archived: bool):
    child = await add_child(door, await door.create())
    response = await patch(door, child, archived=archived)
    assert response.status_code == 400
    assert response.json()["validations"][0]["field"] == "archived"


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": {"": "x"}},
        {"archived": False},
        {"pin_order": -1},
        {"archived": True, "pin_order": 1},
        {"workspace_id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
        {"plan_mode": "plan"},
        {"title": "x" * 201},
        {"title": "é" * 201},
    ],
)
async def test_nothing_of_a_refused_request_is_written(door: Door, wrong: dict[str, Any]):
    chat = await door.create()
    good = {"title": "new", "labels": {"a": "b"}, "pin_order": 1}
    response = await patch(door, chat, **{**good, **wrong})
    assert response.status_code == 400
    assert (await door.owner.http.get(f"/chats/{chat['id']}")).json() == chat


@pytest.mark.parametrize("length", [200])
@pytest.mark.parametrize("letter", ["x", "é", "𝄞"])
async def test_titles_are_counted_in_characters(door: Door, letter: str, length: int):
    chat = await door.create()
    assert (await patch(door, chat, title=f" {letter * length} ")).status_code == 204
    assert (await patch(door, chat, title=letter * (length + 1))).status_code == 400
    assert (await listed(door))[0]["title"] == letter * length


async def test_title_labels_and_pin_change_together(door: Door):
    chat = await door.create()
    assert (await patch(door, chat, title="new", labels={"a": "b"}, pin_order=1)).status_code == 204
    (now,) = await listed(door)
    assert (now["title"], now["labels"], now["pin_order"]) == ("new", {"a": "b"}, 1)
    assert now["updated_at"] > chat["updated_at"]


async def test_an_edit_that_goes_along_with_archiving_waits_for_its_command(door: Door):
    chat = await door.create("old")
    chat_id = UUID(chat["id"])
    await stage_edit(door.engine, chat_id, Edit("lost", {"lost": "1"}), command_id=f"lost {chat_id}")
    await stage_edit(door.engine, chat_id, Edit("new", {"a": "b"}), command_id=f"second {chat_id}")
    assert (await listed(door))[0]["title"] == "old"
    await archive(door, chat, f"second {chat_id}")
    await archive(door, chat, f"third {chat_id}", archived=False)
    now = await find_chat(door.engine, door.owner.caller, chat_id)
    assert now is not None
    assert (now.title, now.labels) == ("new", {"a": "b"})


async def test_an_edit_whose_command_found_no_worker_is_not_made_by_the_next(door: Door):
    chat = await door.create("old")
    assert (await patch(door, chat, title="new", archived=True)).status_code == 503
    await archive(door, chat)
    (now,) = await listed(door, q="archived:true")
    assert now["title"] == "old"


async def test_what_was_staged_long_ago_is_cleared_away(door: Door):
    chat = await door.create()
    chat_id = UUID(chat["id"])
    await stage_edit(door.engine, chat_id, Edit("a"), command_id=f"a {chat_id}")
    async with door.engine.begin() as conn:
        long_ago = func.now() - func.make_interval(0, 0, 0, 2)
        await conn.execute(
            staged_edits.update().where(staged_edits.c.chat_id == chat_id).values(created_at=long_ago)
        )
    await stage_edit(door.engine, chat_id, Edit("b"), command_id=f"b {chat_id}")
    async with door.engine.connect() as conn:
        left = await conn.execute(select(staged_edits.c.title).where(staged_edits.c.chat_id == chat_id))
        assert left.scalars().all() == ["b"]
