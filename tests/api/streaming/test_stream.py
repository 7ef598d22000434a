"""Streams over the wire: rows first, then entries, then whatever follows, each thing once."""

import asyncio
import json
from uuid import UUID

import pytest
import websockets
from redis.asyncio import Redis

from cli.stack import Stack
from models.chat_state import ToolCallRef
from models.failures import Failure, FailureKind
from models.store import steps
from models.store.steps import Answer, Begun
from models.stream import stream_key
from models.turns import ModelCall
from runtime.settings import Settings
from tests.api.conftest import Door
from tests.api.sending import place, send
from tests.api.served import Body, client, person, served, text
from tests.api.streaming.readers import (
    PATIENCE_SECONDS,
    Reader,
    frames,
    narrow_connection,
    preview,
    publish,
    sse,
    wake,
)

DELTA = {"type": "text", "text": "It is late."}


def call(chat: Body, step: int = 1) -> ModelCall:
    return ModelCall(chat_id=UUID(chat["id"]), turn=1, step=step)


async def begin(door: Door, chat: Body) -> Begun:
    begun = await steps.begin_attempt(door.engine, call(chat))
    assert isinstance(begun, Begun)
    return begun


async def commit(door: Door, chat: Body, calls: tuple[ToolCallRef, ...] = ()) -> int:
    outcome = await steps.commit_step(door.engine, call(chat), Answer([DELTA], calls, door.model))
    return outcome.state.snapshot_version


async def turn_over(reader: Reader) -> None:
    assert (await reader.until("status", 2))["status"] == {"status": "waiting"}
    while reader.kinds[-1] != "preview_reset":
        await reader.until("preview_reset", reader.kinds.count("preview_reset") + 1)


async def all_frames(socket: websockets.ClientConnection) -> None:
    while True:
        await socket.recv()


async def test_a_reader_before_the_first_token_gets_the_running_turn_and_all_that_follows(
    door: Door, redis: Redis
):
    chat = await door.create()
    async with sse(door, chat) as reader:
        await reader.until("preview_reset")
        assert reader.kinds == ["message", "status", "preview_reset"]
        assert reader.events[1]["status"] == {"status": "running"}
        begun = await begin(door, chat)
        assert (begun.episode.history_version, begun.episode.generation_attempt) == (1, 1)
        await publish(redis, chat, preview(1, 1, 1, ["It", " is"]), preview(1, 1, 3, [" late."]))
        await reader.until("message_part", 3)
        await publish(redis, chat, wake(await commit(door, chat)))
        await reader.until("preview_reset", 3)
    assert reader.kinds == [
        *("message", "status", "preview_reset"),
        "preview_reset",
        *("message_part",) * 3,
        *("message", "status", "preview_reset"),
    ]
    assert reader.parts() == [(1, 1, 1, "It"), (1, 1, 2, " is"), (1, 1, 3, " late.")]
    assert reader.events[7]["message"]["content"] == [DELTA]
    assert reader.events[8]["status"] == {"status": "waiting"}


async def test_a_late_reader_gets_the_episode_from_its_start(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    await publish(redis, chat, preview(1, 1, 1, ["a", "b"]))
    async with sse(door, chat) as first:
        await first.until("message_part", 2)
        await publish(redis, chat, preview(1, 1, 3, ["c"]))
        await first.until("message_part", 3)
        async with sse(door, chat) as second:
            await second.until("message_part", 3)
            await publish(redis, chat, preview(1, 1, 4, ["d"]))
            await asyncio.gather(first.until("message_part", 4), second.until("message_part", 4))
            assert second.kinds == ["message", "status", "preview_reset", *("message_part",) * 4]
            assert first.parts() == second.parts()


async def test_last_event_id_resumes_in_the_middle_of_an_answer(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    await publish(redis, chat, preview(1, 1, 1, ["a", "b", "c"]))
    async with sse(door, chat) as first:
        await first.until("message_part", 3)
        await publish(redis, chat, preview(1, 1, 1, ["not", "again"]))
        for index, last in enumerate(first.ids):
            parts_seen = first.kinds[: index + 1].count("message_part")
            async with sse(door, chat, last_event_id=last) as second:
                await second.until("status")
                await second.until("message_part", 3 - parts_seen)
                assert [part[2] for part in second.parts()] == [1, 2, 3][parts_seen:]
                assert ("preview_reset" in second.kinds) == (parts_seen == 0)
                assert second.messages() == []  # its one message is the first event of all


async def test_a_reader_that_is_ahead_of_a_lost_episode_is_told_no_part_again(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    await publish(redis, chat, preview(1, 1, 1, ["a", "b", "c"]))
    async with sse(door, chat) as first:
        await first.until("message_part", 3)
    await redis.delete(stream_key(UUID(chat["id"])))
    async with sse(door, chat, last_event_id=first.ids[-1]) as second:
        await second.until("status")
        await send(door, chat, "later")
        await place(door, chat)
        await second.until("queue_update")
    async with sse(door, chat, last_event_id=second.ids[-1]) as third:
        await third.until("status")
        await publish(redis, chat, preview(1, 1, 1, ["a", "b"]), preview(1, 1, 3, ["c", "d"]))
        await third.until("message_part")
        await publish(redis, chat, preview(1, 2, 1, ["anew"]))
        await third.until("message_part", 2)
    assert "preview_reset" not in second.kinds
    assert third.parts() == [(1, 1, 4, "d"), (1, 2, 1, "anew")]
    assert third.kinds[-3:] == ["message_part", "preview_reset", "message_part"]


async def test_the_id_after_a_commit_brings_only_what_is_new(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    async with sse(door, chat) as reader:
        await reader.until("preview_reset")
        await publish(redis, chat, preview(1, 1, 1, ["x"]), wake(await commit(door, chat)))
        await turn_over(reader)
        last = reader.ids[-1]
    async with sse(door, chat, last_event_id=last) as again:
        await again.until("preview_reset")
        assert again.messages() == []
    async with sse(door, chat, after_id=reader.messages()[0]) as after:
        await after.until("status")
        assert after.messages() == reader.messages()[1:]


async def test_a_new_attempt_resets_and_an_old_one_is_dropped(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    async with sse(door, chat) as reader:
        await reader.until("preview_reset")
        await publish(redis, chat, preview(1, 1, 1, ["old"]))
        await reader.until("message_part")
        await begin(door, chat)
        await publish(
            redis, chat, preview(1, 2, 1, ["new"]), preview(1, 1, 2, ["older"]), preview(1, 2, 2, ["er"])
        )
        await reader.until("message_part", 3)
    assert reader.kinds[-4:] == ["message_part", "preview_reset", "message_part", "message_part"]
    assert reader.parts() == [(1, 1, 1, "old"), (1, 2, 1, "new"), (1, 2, 2, "er")]


async def test_a_replayed_episode_is_told_once_and_a_gap_waits_for_the_rows(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    async with sse(door, chat) as reader:
        await publish(redis, chat, preview(1, 1, 1, ["a"]), preview(1, 1, 5, ["e", "f"]))
        await publish(redis, chat, preview(1, 1, 1, ["a", "b"]))
        await reader.until("message_part", 2)
        await publish(redis, chat, wake(await commit(door, chat)))
        await turn_over(reader)
    assert [part[2] for part in reader.parts()] == [1, 2]


async def test_parts_of_a_history_not_seen_yet_bring_the_rows_first(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    async with sse(door, chat) as reader:
        await reader.until("preview_reset")
        ref = ToolCallRef(id="c1", name="current_time")
        version = await commit(door, chat, (ref,))
        await publish(redis, chat, preview(version, 1, 1, ["next"]))
        await reader.until("message_part")
    assert reader.kinds[3:] == ["message", "preview_reset", "preview_reset", "message_part"]


async def test_a_lost_wake_up_is_healed_by_the_poll(door: Door):
    chat = await door.create()
    async with sse(door, chat) as reader:
        await reader.until("preview_reset")
        await begin(door, chat)
        await commit(door, chat)
        await turn_over(reader)
    assert len(reader.messages()) == 2


async def test_wake_ups_of_known_versions_tell_nothing(door: Door, redis: Redis):
    chat = await door.create()
    async with sse(door, chat) as reader:
        await reader.until("preview_reset")
        await publish(redis, chat, wake(1), wake(0), wake(1))
        await begin(door, chat)
        await publish(redis, chat, preview(1, 1, 1, ["x"]), wake(1))
        await reader.until("message_part")
    assert reader.kinds == ["message", "status", *("preview_reset",) * 2, "message_part"]


async def test_retries_and_errors_are_told(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    failure = Failure(kind=FailureKind.OVERLOADED, message="Demo is overloaded.", retryable=True)
    async with sse(door, chat) as reader:
        await reader.until("preview_reset")
        later = await steps.note_failure(door.engine, call(chat), failure)
        assert isinstance(later, steps.RetryLater)
        await publish(redis, chat, wake(later.state.snapshot_version))
        retry = (await reader.until("retry"))["retry"]
        assert (retry["attempt"], retry["kind"], retry["delay_ms"]) == (1, "overloaded", 1000)
        outcome = await steps.fail_step(door.engine, call(chat), failure)
        await publish(redis, chat, wake(outcome.state.snapshot_version))
        error = (await reader.until("error"))["error"]
        assert error == {"message": "Demo is overloaded.", "kind": "overloaded", "retryable": True}
        assert reader.kinds[-2:] == ["status", "error"]
    async with sse(door, chat) as late:
        await late.until("preview_reset")
        assert late.kinds == ["message", "status", "error", "preview_reset"]


async def test_frames_are_arrays_and_the_same_events(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    await publish(redis, chat, preview(1, 1, 1, ["a"] * 600))
    async with frames(door, chat) as socket, sse(door, chat) as reader:
        await reader.until("message_part", 600)
        received: list[Body] = []
        while len(received) < 603:
            frame = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_SECONDS))
            assert 1 <= len(frame) <= 256
            received += frame
        assert received == reader.events
    async with frames(door, chat, f"?after_id={reader.messages()[0]}") as socket:
        frame = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_SECONDS))
        assert frame[0]["type"] == "status"


async def test_a_client_that_talks_is_shown_out(door: Door):
    chat = await door.create()
    async with frames(door, chat) as socket:
        await socket.recv()
        await socket.send("hello?")
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(socket.recv(), PATIENCE_SECONDS)
        assert socket.close_code == 1008


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("{id}/stream", None, 401),
        ("5c2f0a1e-94d7-4a53-8f0b-6f1f4be1d3a7/stream", "ok", 404),
        ("nonsense/stream", "ok", 400),
        ("{id}/stream?after_id=x", "ok", 400),
        ("{id}/stream?after_id=-1", "ok", 400),
    ],
)
async def test_refusals_before_the_upgrade_are_plain_answers(
    door: Door, path: str, token: str | None, status: int
):
    chat = await door.create()
    url = f"{door.served.url.replace('http', 'ws')}/api/v2/chats/{path.format(id=chat['id'])}"
    headers = {} if token is None else {"Coder-Session-Token": door.owner.token}
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(url, additional_headers=headers, proxy=None)
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body)["message"]
    if token:
        over_http = await door.owner.http.get(f"/chats/{path.format(id=chat['id'])}")
        assert over_http.status_code == status


async def test_other_media_types_are_not_acceptable(door: Door):
    chat = await door.create()
    response = await door.owner.http.get(
        f"/chats/{chat['id']}/stream", headers={"Accept": "application/json"}
    )
    assert response.status_code == 406
    odd = await door.owner.http.get(f"/chats/{chat['id']}/stream", headers={"Last-Event-ID": "a.b"})
    assert odd.status_code == 400


async def test_a_reader_too_slow_for_its_backlog_is_cut_off(door: Door, redis: Redis):
    chat = await door.create()
    await begin(door, chat)
    narrow = narrow_connection(door)
    async with frames(door, chat, sock=narrow, max_queue=1) as socket, sse(door, chat) as quick:
        await quick.until("status")
        # the client reads no further once a frame waits, so everything piles up behind it
        big = "x" * 1_000_000
        async with asyncio.timeout(30):
            for attempt in range(2, 20):
                await begin(door, chat)
                await publish(redis, chat, preview(1, attempt, 1, [big]))
                await quick.until("message_part", attempt - 1)
            with pytest.raises(websockets.ConnectionClosed):
                await all_frames(socket)
        assert socket.close_code == 1013


async def test_streams_follow_the_rows_without_redis_and_the_parts_once_it_is_back(
    door: Door, stack: Stack, redis: Redis
):
    chat = await door.create()
    async with sse(door, chat) as reader:
        await reader.until("preview_reset")
        await stack.kill("valkey")
        await begin(door, chat)
        await reader.until("preview_reset", 2)
        async with sse(door, chat) as newcomer:
            await newcomer.until("preview_reset")
            await stack.start("valkey")
            await publish(redis, chat, preview(1, 1, 1, ["back", "again"]))
            await asyncio.gather(reader.until("message_part", 2), newcomer.until("message_part", 2))
            await commit(door, chat)
            await asyncio.gather(turn_over(reader), turn_over(newcomer))


async def test_a_server_that_stops_sends_its_readers_away_at_once(
    door: Door, settings: Settings, stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", stack.temporal_address)
    chat = await door.create()
    async with served(settings) as second:
        there = Door(second, door.engine, door.organization, door.model, door.owner, door.other)
        async with (
            person(door.engine, second.url, door.organization, "Eve"),
            client(second.url, door.owner.token) as http,
        ):
            there.owner.http, before = http, there.owner.http
            async with sse(there, chat) as reader, frames(there, chat) as socket:
                await reader.until("status")
                await socket.recv()
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await second.stop()
                    await reader.over.wait()
                    await socket.wait_closed()
                assert socket.close_code == 1012
            there.owner.http = before


async def test_the_queue_is_told_when_it_changes(door: Door, redis: Redis):
    chat = await door.create()
    async with sse(door, chat) as reader:
        await reader.until("preview_reset")
        assert "queue_update" not in reader.kinds
        await send(door, chat, "later")
        await place(door, chat)
        queue = (await reader.until("queue_update"))["queued_messages"]
        assert [row["content"] for row in queue] == [text("later")]
