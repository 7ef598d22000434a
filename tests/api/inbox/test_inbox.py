"""The inbox: one notification for each turn that ended by itself or failed, read by its owner only."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from api.inbox.frames import Arrived, InboxWatcher
from models.failures import Failure, FailureKind
from models.hints import Hint, HintKind, inbox_key
from models.inbox import TURN_FAILED, TURN_FINISHED
from models.store import inbox, steps
from models.store.inbox import InboxFilter
from models.store.steps import Answer
from models.turns import ModelCall
from tests.api.conftest import Door
from tests.api.served import Body
from tests.api.watching.watchers import watching, watching_frames

INBOX = "/notifications/inbox"


async def finished(door: Door, words: str = "hello there") -> Body:
    """A chat whose first turn has ended by itself."""
    chat = await door.create(words)
    call = ModelCall(chat_id=UUID(chat["id"]), turn=1, step=1)
    await steps.begin_attempt(door.engine, call)
    await steps.commit_step(door.engine, call, Answer([{"type": "text", "text": "hi"}], (), door.model))
    return chat


async def failed(door: Door, message: str = "No such model.") -> Body:
    chat = await door.create()
    call = ModelCall(chat_id=UUID(chat["id"]), turn=1, step=1)
    await steps.begin_attempt(door.engine, call)
    failure = Failure(kind=FailureKind.CONFIG, message=message, retryable=False)
    await steps.fail_step(door.engine, call, failure)
    return chat


async def listed(door: Door, **query: Any) -> Body:
    response = await door.owner.http.get(INBOX, params=query)
    assert response.status_code == 200, response.text
    return response.json()


def targets(page: Body) -> list[str]:
    return [target for one in page["notifications"] for target in one["targets"]]


async def test_a_turn_that_ended_by_itself_is_in_the_inbox(door: Door):
    chat = await finished(door)
    page = await listed(door)
    (notification,) = page["notifications"]
    assert page["unread_count"] == 1
    assert {k: v for k, v in notification.items() if k not in ("id", "created_at")} == {
        "user_id": str(door.owner.caller.user_id),
        "template_id": str(TURN_FINISHED),
        "targets": [chat["id"]],
        "title": "hello there",
        "content": "Finished latest turn",
        "icon": "DEFAULT_ICON_CHAT",
        "actions": [{"label": "Open chat", "url": f"/agents/{chat['id']}"}],
        "read_at": None,
    }


async def test_a_turn_that_failed_says_why(door: Door):
    await failed(door, "No such model.\0")
    (notification,) = (await listed(door))["notifications"]
    assert notification["template_id"] == str(TURN_FAILED)
    assert notification["content"] == "No such model."
    assert notification["icon"] == "DEFAULT_ICON_CHAT_ERROR"


async def test_a_step_committed_again_leaves_no_second_notification(door: Door):
    chat = await finished(door)
    call = ModelCall(chat_id=UUID(chat["id"]), turn=1, step=1)
    await steps.commit_step(door.engine, call, Answer([{"type": "text", "text": "hi"}], (), door.model))
    assert len((await listed(door))["notifications"]) == 1


async def test_filters_choose_by_chat_template_and_reading(door: Door):
    good, bad = await finished(door), await failed(door)
    assert targets(await listed(door)) == [bad["id"], good["id"]]
    assert targets(await listed(door, targets=good["id"])) == [good["id"]]
    assert targets(await listed(door, targets=f"{good['id']},{bad['id']}")) == []
    assert targets(await listed(door, templates=f"{TURN_FAILED},{uuid4()}")) == [bad["id"]]
    (first,) = (await listed(door, targets=good["id"]))["notifications"]
    await door.owner.http.put(f"{INBOX}/{first['id']}/read-status", json={"is_read": True})
    assert targets(await listed(door, read_status="read")) == [good["id"]]
    assert targets(await listed(door, read_status="unread")) == [bad["id"]]
    assert targets(await listed(door, read_status="all")) == [bad["id"], good["id"]]


async def test_pages_follow_each_other_without_gap(door: Door):
    chats = [(await finished(door))["id"] for _ in range(28)]
    first = await listed(door)
    assert first["unread_count"] == 28
    second = await listed(door, starting_before=first["notifications"][-1]["id"])
    assert targets(first) + targets(second) == list(reversed(chats))
    assert len(targets(first)) == 25
    assert targets(await listed(door, starting_before=str(uuid4()))) == targets(first)


@pytest.mark.parametrize(
    "query",
    [
        {"targets": "x"},
        {"templates": f"{uuid4()},x"},
        {"targets": ",".join(str(uuid4()) for _ in range(51))},
        {"read_status": "some"},
        {"starting_before": "x"},
        {"limit": "3"},
    ],
)
async def test_what_the_query_does_not_know_is_refused(door: Door, query: dict[str, str]):
    response = await door.owner.http.get(INBOX, params=query)
    assert response.status_code == 400
    assert [problem["field"] for problem in response.json()["validations"]] == [*query]


@pytest.mark.parametrize(
    "query", [{"format": "html"}, {"read_status": "some"}, {"starting_before": str(uuid4())}]
)
async def test_what_the_watch_does_not_know_is_refused(door: Door, query: dict[str, str]):
    assert (await door.owner.http.get(f"{INBOX}/watch", params=query)).status_code == 400


async def test_reading_is_marked_and_unmarked(door: Door):
    await finished(door)
    (notification,) = (await listed(door))["notifications"]
    path = f"{INBOX}/{notification['id']}/read-status"
    read = await door.owner.http.put(path, json={"is_read": True})
    assert (read.status_code, read.json()["unread_count"]) == (200, 0)
    assert read.json()["notification"]["read_at"] is not None
    again = await door.owner.http.put(path, json={"is_read": True})
    assert again.json()["notification"] == read.json()["notification"]
    unread = await door.owner.http.put(path, json={"is_read": False})
    assert unread.json() == {"notification": notification, "unread_count": 1}


async def test_all_are_marked_at_once(door: Door):
    await finished(door)
    await failed(door)
    assert (await door.owner.http.put(f"{INBOX}/mark-all-as-read")).status_code == 204
    assert (await listed(door))["unread_count"] == 0


async def test_the_inbox_of_another_is_not_seen_and_not_marked(door: Door):
    await finished(door)
    (notification,) = (await listed(door))["notifications"]
    assert (await door.other.http.get(INBOX)).json() == {"notifications": [], "unread_count": 0}
    path = f"{INBOX}/{notification['id']}/read-status"
    assert (await door.other.http.put(path, json={"is_read": True})).status_code == 404
    assert (await door.other.http.put(f"{INBOX}/mark-all-as-read")).status_code == 204
    assert (await listed(door))["unread_count"] == 1


async def test_a_notification_is_named_by_a_uuid(door: Door):
    response = await door.owner.http.put(f"{INBOX}/x/read-status", json={"is_read": True})
    assert response.status_code == 400
    assert (await door.owner.http.put(f"{INBOX}/{uuid4()}/read-status", json={})).status_code == 400


async def tell(door: Door, redis: Redis, chat: Body, kind: HintKind = HintKind.NOTIFIED) -> None:
    hint = Hint(door.owner.caller.user_id, UUID(chat["id"]), kind, 1)
    fields: Any = hint.encode()
    assert hint.key == inbox_key(hint.owner_id)
    await redis.xadd(hint.key, fields)


async def test_watchers_are_told_what_they_asked_for(door: Door, redis: Redis):
    good, bad = await finished(door), await failed(door)
    async with (
        watching(door.owner.http, f"{INBOX}/watch") as everything,
        watching(
            door.owner.http, f"{INBOX}/watch", templates=str(TURN_FAILED), format="plaintext"
        ) as failures,
        watching(door.owner.http, f"{INBOX}/watch", targets=f"{good['id']},{bad['id']}") as both,
        watching_frames(door.served.url, door.owner, f"{INBOX}/watch?read_status=unread") as (unread, _),
        watching(door.other.http, f"{INBOX}/watch") as other,
    ):
        for chat in (good, bad):
            await tell(door, redis, chat)
        for watcher, count in ((everything, 2), (unread, 2), (failures, 1)):
            await watcher.until(lambda w, count=count: len(w.told) == count)
    page = await listed(door)
    told = {"notification": page["notifications"][0], "unread_count": 2}
    assert everything.told[-1] == told
    assert failures.told == [told]
    assert both.told == other.told == []


async def test_the_end_of_a_turn_is_told_when_it_has_its_label(door: Door, redis: Redis):
    chat, other = await finished(door), await failed(door)
    async with watching(door.owner.http, f"{INBOX}/watch") as watcher:
        await tell(door, redis, chat, HintKind.TURN_FINISHED)  # its label is still to come
        await tell(door, redis, other)
        await watcher.until(lambda w: w.told)
        await tell(door, redis, chat)
        await watcher.until(lambda w: len(w.told) == 2)
    assert [told["notification"]["targets"] for told in watcher.told] == [[other["id"]], [chat["id"]]]


async def test_a_slow_watcher_misses_notifications_and_stays(door: Door):
    await finished(door)
    (one,) = await inbox.list_notifications(
        door.engine, door.owner.caller.user_id, InboxFilter(), starting_before=None
    )
    watcher = InboxWatcher(InboxFilter())
    watcher.offer([Arrived(one, 1)] * 25)
    assert len(await watcher.take()) == 10
    assert not watcher.ended.done()
    watcher.offer([Arrived(one, 1)])
    async with asyncio.timeout(1):
        assert len(await watcher.take()) == 1
