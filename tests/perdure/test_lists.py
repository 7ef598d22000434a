"""Files, the inbox, and lists that are watched, through the typed client."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import uuid4

import pytest

from activities.providers.demo import script_block
from cli.stack import Stack
from perdure.client import (
    BadRequest,
    Chat,
    ChatChange,
    ConnectionLost,
    InboxChange,
    NotAuthenticated,
    NotFound,
    Perdure,
    Watching,
)
from tests.perdure.proxy import Proxy


def says(text: str) -> str:
    return script_block({"text": text})


@pytest.fixture
async def newcomer(perdure: Perdure, whole: Stack) -> AsyncGenerator[Perdure]:
    """A client of somebody who has no chats: nothing comes into their inbox but what a test does."""
    home, *_ = (await perdure.me()).organization_ids  # others may have been made since, without a model
    user = await perdure.users.create(f"newcomer-{uuid4().hex[:8]}", organization_ids=[home])
    token = await perdure.tokens.create("first", user=user.id)
    async with Perdure(whole.api_url, token.key) as client:
        yield client


async def test_a_file_is_uploaded_named_by_a_message_and_fetched(perdure: Perdure):
    file = await perdure.files.upload(b"# Notes\n", "grüne notizen.md")
    assert await perdure.files.download(file.id) == b"# Notes\n"
    link = await perdure.files.link(file.id)
    assert (link.name, link.mime_type, link.size_bytes) == ("grüne notizen.md", "text/markdown", 8)
    chat = await perdure.chats.create([{"type": "text", "text": says("read")}, file.part])
    assert (await chat.wait()).text == "read"
    (first, *_) = await chat.history()
    assert [part.file_id for part in first.content if part.type == "file"] == [file.id]
    with pytest.raises(NotFound):
        await perdure.files.download("00000000-0000-4000-8000-000000000000")
    with pytest.raises(BadRequest):
        await perdure.files.upload(b"<svg/>", "a.svg")


async def test_the_end_of_a_turn_is_in_the_inbox_until_it_is_read(newcomer: Perdure):
    chats = list[Chat]()
    for _ in range(2):  # one ends after the other
        chats.append(await newcomer.chats.create(says("done")))
        await chats[-1].wait()
    unread = [notification async for notification in newcomer.inbox.list(unread=True)]
    assert [one.targets for one in unread] == [[chat.id] for chat in reversed(chats)]
    assert await newcomer.inbox.unread_count() == 2
    marked = await newcomer.inbox.mark(unread[0].id)
    assert marked.notification.read_at is not None
    assert marked.unread_count == 1
    assert (await newcomer.inbox.mark(unread[0].id, is_read=False)).unread_count == 2
    about = [one async for one in newcomer.inbox.list(chat_id=chats[0].id)]
    assert [one.id for one in about] == [unread[1].id]
    await newcomer.inbox.mark_all_read()
    assert await newcomer.inbox.unread_count() == 0


class Watcher:
    """Collects what a watched list tells."""

    def __init__(self, changes: AsyncGenerator[object]) -> None:
        self.seen: list[object] = []
        self._arrived = asyncio.Event()
        self._task = asyncio.create_task(self._read(changes))

    async def _read(self, changes: AsyncGenerator[object]) -> None:
        async with aclosing(changes):
            async for change in changes:
                self.seen.append(change)
                self._arrived.set()

    async def until(self, kind: type[object], count: int = 1) -> list[object]:
        async with asyncio.timeout(20):
            while len(self.of(kind)) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.of(kind)

    def of(self, kind: type[object]) -> list[object]:
        return [one for one in self.seen if isinstance(one, kind)]

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_the_list_of_chats_is_watched_from_now_on(perdure: Perdure):
    watcher = Watcher(perdure.chats.watch())
    try:
        await watcher.until(Watching)
        chat = await perdure.chats.create(says("watched"))
        await chat.wait()
        await chat.patch(title="Renamed")

        def titles() -> list[str]:
            changes = [one for one in watcher.seen if isinstance(one, ChatChange) and one.chat.id == chat.id]
            return [one.chat.title for one in changes if one.kind == "title_change"]

        count = 1
        while not titles():
            await watcher.until(ChatChange, count)
            count += 1
        assert titles() == ["Renamed"]
        kinds = [one.kind for one in watcher.seen if isinstance(one, ChatChange) and one.chat.id == chat.id]
        assert kinds[0] == "created"
        assert "status_change" in kinds
    finally:
        await watcher.stop()


async def test_a_watcher_of_the_inbox_is_told_and_tells_when_it_may_have_missed_something(
    newcomer: Perdure, wire: Proxy
):
    async with Perdure(wire.url, newcomer.server.token) as far:
        watcher = Watcher(far.inbox.watch())
        try:
            await watcher.until(Watching)
            chat = await newcomer.chats.create(says("told"))
            (told,) = await watcher.until(InboxChange)
            assert isinstance(told, InboxChange)
            assert told.notification.targets == [chat.id]
            wire.cut()
            await watcher.until(ConnectionLost)
            await watcher.until(Watching, 2)
            again = await newcomer.chats.create(says("told again"))
            told = (await watcher.until(InboxChange, 2))[1]
            assert isinstance(told, InboxChange)
            assert told.notification.targets == [again.id]
        finally:
            await watcher.stop()


async def test_a_watcher_without_a_good_token_is_told_so(whole: Stack):
    async with Perdure(whole.api_url, "perdure_wrong") as stranger:
        with pytest.raises(NotAuthenticated):
            await anext(aiter(stranger.chats.watch()))
