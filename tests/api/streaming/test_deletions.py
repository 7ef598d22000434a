"""Streams over an edit: what is gone is dropped, what a reader has is not sent again (spec api.md 6.3)."""

from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from sqlalchemy import select, update

from models.store import steps
from models.store.bundle import read_state
from models.store.drafts import NewDraft, store_draft
from models.store.steps import Answer
from models.store.tables import chats, messages
from models.store.transitions import commit_transition
from models.turns import Commit, ModelCall, Receipt
from tests.api.conftest import Door
from tests.api.sending import place, send
from tests.api.served import Body, text
from tests.api.streaming.readers import Reader, preview, publish, sse, wake
from workflows.chat.events import Event, MessageEdited, QueuedDeleted, QueuedPromoted
from workflows.chat.machine import decide


async def commit(door: Door, chat: Body, event: Event) -> Receipt:
    """What the chat's workflow does with an event."""
    chat_id = UUID(chat["id"])
    write = decide(await read_state(door.engine, chat_id), event)
    return await commit_transition(door.engine, Commit(chat_id=chat_id, command_id=str(uuid4()), write=write))


async def answer(door: Door, chat: Body, words: str) -> int:
    """The model answers the running turn; the snapshot version then."""
    state = await read_state(door.engine, UUID(chat["id"]))
    call = ModelCall(chat_id=UUID(chat["id"]), turn=state.turn, step=state.step + 1)
    await steps.begin_attempt(door.engine, call)
    outcome = await steps.commit_step(door.engine, call, Answer(text(words), (), door.model))
    return outcome.state.snapshot_version


async def edit(door: Door, chat: Body, message: int, words: str = "instead") -> Receipt:
    new = NewDraft(content=text(words), request_hash="h")
    owner = door.owner.caller.user_id
    draft = await store_draft(door.engine, chat_id=UUID(chat["id"]), created_by=owner, new=new)
    return await commit(door, chat, MessageEdited(draft.id, message))


async def conversation(door: Door) -> tuple[Body, list[int]]:
    """A chat of two turns, at rest: question, answer, question, answer."""
    chat = await door.create("first")
    await answer(door, chat, "one")
    assert (await send(door, chat, "second")).status_code == 503
    await place(door, chat)
    await answer(door, chat, "two")
    return chat, await ids(door, chat)


async def ids(door: Door, chat: Body) -> list[int]:
    page = (await door.owner.http.get(f"/chats/{chat['id']}/messages")).json()
    return sorted(message["id"] for message in page["messages"])


async def settled(reader: Reader) -> list[str]:
    """The kinds of a reader's first events, up to the end of its first synchronization."""
    await reader.until("preview_reset")
    return reader.kinds[: reader.kinds.index("preview_reset") + 1]


async def test_a_reader_is_told_to_drop_everything_and_gets_what_is_left(door: Door, redis: Redis):
    chat, (first, one, second, _) = await conversation(door)
    async with sse(door, chat) as reader:
        await settled(reader)
        before = len(reader.events)
        receipt = await edit(door, chat, second)
        await publish(redis, chat, wake(receipt.state.snapshot_version))
        await reader.until("history_reset")
        await reader.until("preview_reset", 2)
        kinds = reader.kinds[before:]
        assert kinds == ["history_reset", *("message",) * 3, "status", "preview_reset"]
        assert reader.messages()[-3:] == [first, one, *receipt.message_ids]
        assert reader.messages()[-3:] == await ids(door, chat)


async def test_parts_of_the_deleted_turn_never_follow(door: Door, redis: Redis):
    chat = await door.create("first")
    (asked,) = await ids(door, chat)
    await steps.begin_attempt(door.engine, ModelCall(chat_id=UUID(chat["id"]), turn=1, step=1))
    async with sse(door, chat) as reader:
        await publish(redis, chat, preview(1, 1, 1, ["a", "b"]))
        await reader.until("message_part", 2)
        version = (await edit(door, chat, asked)).state.snapshot_version
        await publish(redis, chat, wake(version), preview(1, 1, 3, ["c"]), preview(version, 1, 1, ["new"]))
        await reader.until("message_part", 3)
    assert [part[3] for part in reader.parts()] == ["a", "b", "new"]


async def test_a_cursor_that_was_deleted_brings_the_whole_history(door: Door):
    chat, (_, _, second, two) = await conversation(door)
    await edit(door, chat, second)
    for cursor in (second, two):
        async with sse(door, chat, after_id=cursor) as reader:
            kinds = await settled(reader)
            assert kinds == ["history_reset", *("message",) * 3, "status", "preview_reset"]
            assert reader.messages() == await ids(door, chat)


async def test_deletions_behind_the_cursor_need_no_reset(door: Door):
    chat, (first, one, second, _) = await conversation(door)
    receipt = await edit(door, chat, second)
    for cursor, told in ((first, [one, *receipt.message_ids]), (one, [*receipt.message_ids])):
        async with sse(door, chat, after_id=cursor) as reader:
            assert "history_reset" not in await settled(reader)
            assert reader.messages() == told


async def test_a_deletion_that_made_the_cursor_s_own_row_needs_no_reset(door: Door):
    chat, (_, _, second, _) = await conversation(door)
    (instead,) = (await edit(door, chat, second)).message_ids
    async with sse(door, chat, after_id=instead) as reader:
        assert "history_reset" not in await settled(reader)
        assert reader.messages() == []


async def change(door: Door, chat: Body, message: int, **columns: object) -> None:
    """A change of one row that no command makes today."""
    async with door.engine.begin() as conn:
        version = select(chats.c.snapshot_version + 1).where(chats.c.id == UUID(chat["id"]))
        changed = update(messages).where(messages.c.id == message)
        await conn.execute(changed.values(revision=version.scalar_subquery(), **columns))
        await conn.execute(
            update(chats)
            .where(chats.c.id == UUID(chat["id"]))
            .values(
                snapshot_version=chats.c.snapshot_version + 1, history_version=chats.c.snapshot_version + 1
            )
        )


async def test_an_older_message_deleted_after_the_cursor_brings_a_reset(door: Door):
    chat, (first, one, *_) = await conversation(door)
    await change(door, chat, first, deleted=True)
    async with sse(door, chat, after_id=one) as reader:
        assert (await settled(reader))[0] == "history_reset"
        assert reader.messages() == await ids(door, chat)


async def test_a_later_change_of_an_older_message_is_told(door: Door):
    chat, (first, _, second, two) = await conversation(door)
    await change(door, chat, first, content=text("changed"))
    async with sse(door, chat, after_id=second) as reader:
        assert "history_reset" not in await settled(reader)
        assert reader.messages() == [first, two]


async def test_an_unknown_cursor_filters_by_id_alone(door: Door):
    other, (theirs, *_) = await conversation(door)
    chat, mine = await conversation(door)
    await edit(door, other, theirs)
    async with sse(door, chat, after_id=theirs) as reader:
        assert "history_reset" not in await settled(reader)
        assert reader.messages() == mine
    async with sse(door, chat, after_id=mine[-1] + 1_000_000) as reader:
        assert "history_reset" not in await settled(reader)
        assert reader.messages() == []


async def test_a_reader_that_was_away_during_an_edit_resumes_with_a_reset(door: Door):
    chat, (_, _, second, _) = await conversation(door)
    async with sse(door, chat) as reader:
        await settled(reader)
        last = reader.ids[-1]
    await edit(door, chat, second)
    async with sse(door, chat, last_event_id=last) as again:
        assert (await settled(again))[0] == "history_reset"
        assert again.messages() == await ids(door, chat)
        ends = list(again.ids)
    for place_in_reset, event_id in enumerate(ends):
        async with sse(door, chat, last_event_id=event_id) as third:
            assert "history_reset" not in await settled(third)
            told = again.messages()[: again.kinds[: place_in_reset + 1].count("message")]
            assert told + third.messages() == await ids(door, chat)


@pytest.mark.parametrize("promotes", [True, False])
async def test_a_changed_queue_is_told_whole(door: Door, redis: Redis, promotes: bool):
    chat = await door.create("first")
    for words in ("a", "b", "c"):
        await send(door, chat, words)
        await place(door, chat)
    page = (await door.owner.http.get(f"/chats/{chat['id']}/messages")).json()
    _, b, _ = [row["id"] for row in page["queued_messages"]]
    async with sse(door, chat) as reader:
        await settled(reader)
        receipt = await commit(door, chat, QueuedPromoted(b) if promotes else QueuedDeleted(b))
        await publish(redis, chat, wake(receipt.state.snapshot_version))
        told = (await reader.until("queue_update", 2))["queued_messages"]
    words = [row["content"][0]["text"] for row in told]
    assert words == (["b", "a", "c"] if promotes else ["a", "c"])
