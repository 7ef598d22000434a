"""Archiving, and the edits that go along with it: both or neither."""

from typing import Any

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Body, Caller

EDIT: Body = {"title": "Renamed", "labels": {"kept": "yes"}}


async def rested(caller: Caller) -> str:
    chat = await caller.create("hello")
    await caller.read(chat).rested()
    return chat


async def patch(caller: Caller, chat: str, **changes: Any) -> int:
    return (await caller.http.patch(f"{caller.url}/{chat}", json=changes)).status_code


async def seen(caller: Caller, chat: str) -> tuple[bool, str, Body, int]:
    now = (await caller.http.get(f"{caller.url}/{chat}")).json()
    return now["archived"], now["title"], now["labels"], now["pin_order"]


async def test_a_chat_is_archived_and_edited_by_one_request(caller: Caller):
    first, second = await rested(caller), await rested(caller)
    for chat in (first, second):
        assert await patch(caller, chat, pin_order=1) == 204
    assert await patch(caller, first, archived=True, **EDIT) == 204
    assert await seen(caller, first) == (True, "Renamed", {"kept": "yes"}, 0)
    assert (await seen(caller, second))[3] == 1, "the gap is closed"
    assert await patch(caller, first, archived=False, title="And back") == 204
    assert await seen(caller, first) == (False, "And back", {"kept": "yes"}, 0)


async def test_a_busy_chat_is_neither_archived_nor_edited(caller: Caller, model: DemoModel):
    step = {"text": "one two", "pieces": 2, "hold": {"name": "busy", "after_pieces": 1}}
    chat = await caller.create(script_block(step))
    await model.reached("busy")
    before = await seen(caller, chat)
    assert await patch(caller, chat, archived=True, **EDIT) == 409
    assert await seen(caller, chat) == before
    model.release("busy")
    await caller.read(chat).rested()
    assert await patch(caller, chat, archived=True) == 204
    assert await seen(caller, chat) == (True, *before[1:]), "and what was refused stays refused"


async def test_a_request_that_met_no_worker_is_carried_out_whole_or_not_at_all(
    caller: Caller, perdure: Stack
):
    chat = await rested(caller)
    before = await seen(caller, chat)
    await perdure.stop("worker")
    try:
        assert await patch(caller, chat, archived=True, **EDIT) == 503
        assert await seen(caller, chat) == before
    finally:
        await perdure.start("worker")
    # the command may still be on its way: it is answered before this one
    later = await patch(caller, chat, archived=True)
    whole = (True, "Renamed", {"kept": "yes"}, 0)
    assert later in (204, 400, 409)
    assert await seen(caller, chat) == ((True, *before[1:]) if later == 204 else whole)
