"""Many readers who come at the same moment: they share what can be shared, and leave others in peace."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis
from sqlalchemy import event, text

from api import gate
from models.store.reading import transaction
from tests.api.conftest import Door
from tests.api.histories import listed, say
from tests.api.served import Body
from tests.api.streaming.readers import PATIENCE_SECONDS, preview, publish, sse
from tests.durable.rows import until

CROWD = 300
PRESENT = [b"message", b"message", b"status", b"preview_reset"]


@contextmanager
def counted(door: Door) -> Generator[list[str]]:
    """The statements of the API, but for those it makes by itself now and then."""
    engine = door.served.app.state.services.engine.sync_engine
    statements: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "unnest(" not in statement and not statement.startswith("SELECT chats.id, chats.snapshot_version"):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


class Raw:
    """A reader on a bare connection, of which a crowd costs the test little."""

    def __init__(self, door: Door, chat: Body) -> None:
        self._address = httpx2.URL(door.served.url)
        self._request = (
            f"GET /api/v2/chats/{chat['id']}/stream HTTP/1.1\r\nHost: crowd\r\n"
            f"Authorization: Bearer {door.owner.token}\r\n\r\n"
        ).encode()

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._address.host, self._address.port)
        self._writer.write(self._request)

    async def kinds(self, last: bytes) -> list[bytes]:
        """The kinds of the next events, up to the first of this kind."""
        kinds: list[bytes] = []
        while last not in kinds:
            line = await self._reader.readline()
            assert line, "the connection is over"
            assert b" 503 " not in line
            if line.startswith(b"event: "):
                kinds.append(line.strip()[7:])
        return kinds

    async def line(self) -> str:
        """The next line: behind the kind of an event stands what it says."""
        return (await self._reader.readline()).decode()

    async def leave(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def test_a_crowd_costs_about_as_many_statements_as_one_and_all_get_the_present(
    door: Door, redis: Redis
):
    chat = await door.create()
    await say(door, chat, "an answer")
    await listed(door)  # the caller is known from here on
    crowd = [Raw(door, chat) for _ in range(CROWD)]
    with counted(door) as statements:
        async with asyncio.timeout(60):
            await asyncio.gather(*[reader.connect() for reader in crowd])
            for kinds in await asyncio.gather(*[reader.kinds(b"preview_reset") for reader in crowd]):
                assert kinds == PRESENT
        came = len(statements)
        assert not (await listed(door))[0]["has_unread"]
        statements.clear()
        await asyncio.gather(*[reader.leave() for reader in crowd])
        await until(lambda: _nobody_reads(door))
        await door.served.app.state.services.read_marks.drain()
        left = len(statements)
    assert 3 <= came <= CROWD / 10, "access, mark and view, the view a few times"
    assert 1 <= left <= CROWD / 10


async def _nobody_reads(door: Door) -> list[bool]:
    return [True] if not door.served.app.state.services.streams.watched_chats else []


async def test_those_who_resume_and_those_who_begin_are_let_in_together(door: Door, redis: Redis):
    chat = await door.create()
    await publish(redis, chat, preview(1, 0, 1, ["a", "b"]))
    async with sse(door, chat) as first:
        await first.until("message_part", 2)
        resumed = [sse(door, chat, last_event_id=first.ids[-1 - n]) for n in range(2)]
        async with sse(door, chat) as fresh, resumed[0] as at_b, resumed[1] as at_a:
            await asyncio.gather(fresh.until("message_part", 2), at_a.until("message_part"))
            await at_b.until("status")
            await publish(redis, chat, preview(1, 0, 3, ["c"]))
            await asyncio.gather(*[reader.until("message_part") for reader in (fresh, at_a, at_b)])
            await asyncio.gather(first.until("message_part", 3), fresh.until("message_part", 3))
            await asyncio.gather(at_a.until("message_part", 2), at_b.until("message_part"))
    assert [part[2] for part in fresh.parts()] == [1, 2, 3]
    assert [part[2] for part in at_a.parts()] == [2, 3]
    assert [part[2] for part in at_b.parts()] == [3]
    assert ["preview_reset" in reader.kinds for reader in (fresh, at_a, at_b)] == [True, False, False]


async def test_a_crowd_that_cannot_be_let_in_is_sent_away_and_others_are_served(
    door: Door, monkeypatch: pytest.MonkeyPatch
):
    chats = [await door.create(f"number {n}") for n in range(20)]
    monkeypatch.setattr(gate, "PATIENCE_SECONDS", 0.3)
    async with transaction(door.engine) as lock:
        await lock.execute(text("LOCK TABLE chats IN ACCESS EXCLUSIVE MODE"))
        opening = [
            asyncio.create_task(door.owner.http.get(f"/chats/{chat['id']}/stream", timeout=PATIENCE_SECONDS))
            for chat in chats
        ]
        done, waiting = await asyncio.wait(opening, timeout=PATIENCE_SECONDS, return_when="FIRST_COMPLETED")
        assert (await door.owner.http.get("/users/me")).status_code == 200, "there are connections left"
        turned_away = next(iter(done)).result()
        assert (turned_away.status_code, turned_away.headers["retry-after"]) == (503, "2")
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    async with sse(door, chats[0]) as reader:
        await reader.until("status")
