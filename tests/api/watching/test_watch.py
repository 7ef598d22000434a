"""The chat list as a stream: every change once, to its owner, with the chat as it is behind the change."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import websockets
from redis.asyncio import Redis
from sqlalchemy import insert, update
from sqlalchemy.event import listen, remove

from api.streaming import subscription
from api.streaming.events import Event
from api.streaming.subscription import Subscription
from cli.stack import Stack
from models.hints import Hint, HintKind, chat_list_key
from models.store.tables import chats, messages
from models.turns import BusyBehavior
from runtime.settings import Settings
from tests.api.conftest import Door
from tests.api.sending import newest_draft, send
from tests.api.served import Body, client, served
from tests.api.test_actions import awaiting
from tests.api.watching.watchers import PATIENCE_SECONDS, Hand, up, watching, watching_frames
from workflows.chat.events import (
    ActionNeeded,
    ArchivedSet,
    ContextCleared,
    InterruptAsked,
    MessageSent,
    SteeringDue,
    StepStopped,
)


async def rename(door: Door, chat: Body, title: str) -> None:
    response = await door.owner.http.patch(f"/chats/{chat['id']}", json={"title": title})
    assert response.status_code == 204


async def test_a_new_chat_and_its_new_name_are_told_once_each(door: Door):
    async with (
        watching(door.owner.http) as over_sse,
        watching_frames(door.served.url, door.owner) as (over_ws, _),
    ):
        chat = await door.create()
        await rename(door, chat, "Clocks")
        await rename(door, chat, "Clocks")  # no change
        await rename(door, chat, "Watches")
        for watcher in (over_sse, over_ws):
            await watcher.until(lambda w: len(w.told) == 3)
            assert watcher.told[-1]["chat"]["title"] == "Watches"
            assert watcher.kinds(chat) == ["created", "title_change", "title_change"]
            created = watcher.told[0]
            assert set(created) == {"kind", "chat"}
            assert {k: v for k, v in chat.items() if k not in ("children", "has_unread")} == created["chat"]


async def test_nobody_else_is_told(door: Door):
    async with watching(door.other.http) as other, watching(door.owner.http) as owner:
        chat = await door.create()
        await owner.until(lambda w: w.kinds(chat))
        body = {"organization_id": str(door.organization), "content": [{"type": "text", "text": "mine"}]}
        mine = (await door.other.http.post("/chats", json=body)).json()
        await other.until(lambda w: w.kinds(mine))
        assert [told["chat"]["id"] for told in other.told] == [mine["id"]]


async def test_a_watcher_needs_a_token(door: Door):
    async with client(door.served.url) as stranger:
        for path in ("/chats/watch", "/notifications/inbox/watch"):
            assert (await stranger.get(path)).status_code == 401
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(f"{door.served.url.replace('http', 'ws')}/api/v2{path}", proxy=None)
            assert refused.value.response.status_code == 401


async def test_who_cannot_read_events_is_told_so(door: Door):
    for path in ("/chats/watch", "/notifications/inbox/watch"):
        response = await door.owner.http.get(path, headers={"Accept": "application/json"})
        assert response.status_code == 406


async def test_commands_change_the_status_and_steps_only_where_it_changes(door: Door, hand: Hand):
    chat = await door.create()
    async with watching(door.owner.http) as watcher:
        await hand.apply(chat, InterruptAsked())
        await hand.apply(chat, StepStopped())
        await hand.apply(chat, ArchivedSet(True))
        await hand.apply(chat, ArchivedSet(False))
        await hand.apply(chat, ContextCleared())
        await watcher.until(lambda w: len(w.told) == 5)
    assert watcher.kinds(chat) == ["status_change", "status_change", "deleted", "created", "status_change"]
    assert [told["chat"]["archived"] for told in watcher.told[2:4]] == [True, False]
    assert watcher.told[-1]["chat"]["status"] == "waiting"


async def test_a_steering_message_that_takes_its_place_changes_nothing_in_the_list(door: Door, hand: Hand):
    chat = await door.create()
    async with watching(door.owner.http) as watcher:
        await send(door, chat, "and?")
        await hand.apply(chat, MessageSent(await newest_draft(door, chat), BusyBehavior.STEER))
        await hand.apply(chat, SteeringDue())
        await rename(door, chat, "the end")
        await watcher.until(lambda w: "title_change" in w.kinds(chat))
    assert watcher.kinds(chat) == ["status_change", "title_change"]


async def test_calls_that_wait_are_told_with_their_arguments(door: Door, hand: Hand):
    chat = await awaiting(door)
    parts: list[Body] = [
        {"type": "tool-call", "tool_call_id": "theirs", "tool_name": "open_page", "args": {"url": "x"}},
        {"type": "tool-call", "tool_call_id": "guarded", "tool_name": "execute", "args": {}},
    ]
    async with door.engine.begin() as conn:
        row = {"chat_id": UUID(chat["id"]), "role": "assistant", "content": parts, "content_version": 1}
        await conn.execute(insert(messages).values(**row, turn=1, step=1))
        await conn.execute(update(chats).where(chats.c.id == UUID(chat["id"])).values(status="running"))
    async with watching(door.owner.http) as watcher:
        await hand.apply(chat, ActionNeeded(60))
        await watcher.until(lambda w: len(w.told) == 2)
    assert watcher.kinds(chat) == ["status_change", "action_required"]
    needed = watcher.last("action_required")
    assert needed["chat"]["status"] == "requires_action"
    assert needed["tool_calls"] == [
        {"tool_call_id": "theirs", "tool_name": "open_page", "args": '{"url":"x"}', "action": "result"},
        {"tool_call_id": "guarded", "tool_name": "execute", "args": "{}", "action": "approval"},
    ]


async def test_a_change_is_read_once_for_all_watchers_of_an_owner(door: Door):
    reads: list[str] = []

    def note(*execution: Any) -> None:
        if "chats.id = ANY (" in execution[2]:  # and no others, which the API makes now and then
            reads.append(execution[2])

    asked = door.served.app.state.services.engine.sync_engine
    listen(asked, "before_cursor_execute", note)
    try:
        async with (
            watching(door.owner.http) as first,
            watching(door.owner.http) as second,
            watching_frames(door.served.url, door.owner) as (third, _),
        ):
            chat = await door.create()
            for watcher in (first, second, third):
                await watcher.until(lambda w: w.kinds(chat))
    finally:
        remove(asked, "before_cursor_execute", note)
    assert len(reads) == 1


async def test_two_servers_tell_the_same(
    door: Door, settings: Settings, stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", stack.temporal_address)
    async with (
        served(settings) as second,
        client(second.url, door.owner.token) as there,
    ):
        await up(there)
        async with watching(door.owner.http) as here_watcher, watching(there) as there_watcher:
            chat = await door.create()
            response = await there.patch(f"/chats/{chat['id']}", json={"title": "from there"})
            assert response.status_code == 204
            for watcher in (here_watcher, there_watcher):
                await watcher.until(lambda w: len(w.told) == 2)
                assert watcher.kinds(chat) == ["created", "title_change"]


async def test_a_server_that_stops_sends_its_watchers_away(
    door: Door, settings: Settings, stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", stack.temporal_address)
    async with (
        served(settings) as second,
        client(second.url, door.owner.token) as there,
    ):
        await up(there)
        async with watching(there) as watcher, watching_frames(second.url, door.owner) as (_, socket):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await second.stop()
                await watcher.over.wait()
                await socket.wait_closed()
            assert socket.close_code == 1012


async def test_without_redis_watchers_are_sent_away_and_come_back_to_hear_everything(
    door: Door, stack: Stack
):
    chat = await door.create()
    async with (
        watching(door.owner.http) as watcher,
        watching_frames(door.served.url, door.owner) as (_, socket),
    ):
        await stack.kill("valkey")
        try:
            async with asyncio.timeout(10):
                await watcher.over.wait()
                await socket.wait_closed()
            assert socket.close_code == 1013
            assert "read anew" in (socket.close_reason or "")
            refused = await door.owner.http.get("/chats/watch")
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
            await rename(door, chat, "nobody waits for Redis")
        finally:
            await stack.start("valkey")
    await up(door.owner.http)
    async with watching(door.owner.http) as back:
        await rename(door, chat, "back")
        await back.until(lambda w: any(told["chat"]["title"] == "back" for told in w.told))


async def test_a_watcher_that_reads_nothing_is_cut_off(
    door: Door, redis: Redis, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(subscription, "MAX_BACKLOG_EVENTS", 5)
    chat = await door.create()
    async with watching_frames(door.served.url, door.owner) as (watcher, socket):
        hint = Hint(door.owner.caller.user_id, UUID(chat["id"]), HintKind.STATUS_CHANGE)
        fields: Any = hint.encode()
        async with redis.pipeline(transaction=False) as pipe:
            for _ in range(50):  # in one batch: more than may wait
                pipe.xadd(hint.key, fields)
            await pipe.execute()
        async with asyncio.timeout(12):
            await socket.wait_closed()
        assert socket.close_code == 1013
        assert len(watcher.told) < 50


async def test_what_no_release_knows_is_passed_over(door: Door, redis: Redis):
    async with watching(door.owner.http) as watcher:
        key = chat_list_key(door.owner.caller.user_id)
        await redis.xadd(key, {"e": b'{"k":"of_next_year","c":"?"}'})
        await redis.xadd(key, {"other": b"?"})
        chat = await door.create()
        await watcher.until(lambda w: w.kinds(chat))
    assert len(watcher.told) == 1


async def test_an_event_without_a_position_has_no_id():
    assert Event("x", b"{}").sse == b"event: x\ndata: {}\n\n"
    reader = Subscription()
    reader.offer([Event("x", b"{}")])
    assert [one.kind for one in await reader.take()] == ["x"]
