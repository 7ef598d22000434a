"""Files that messages name, as a model call reads them."""

import base64
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from activities import attachments
from activities.attachments import Attachments
from models.chat_state import StateName
from models.store.blobs import PostgresBlobs
from models.store.tables import files
from models.store.transcripts import TranscriptMessage
from tests.activities.bench import Bench

PICTURE = b"\x89PNG\r\n\x1a\n picture"


@pytest.fixture(autouse=True)
async def chat(bench: Bench) -> None:
    await bench.chat.write(StateName.R0)


async def stored(bench: Bench) -> UUID:
    """A file of the bench's chat, with its bytes."""
    file = await bench.chat.add_file(linked=True)
    await PostgresBlobs(bench.chat.engine).put(file, PICTURE)
    return file


def named(file: UUID) -> dict[str, Any]:
    return {"type": "file", "file_id": str(file), "media_type": "image/png", "name": "cat.png"}


async def filled(bench: Bench, *ids: UUID, reader: Attachments | None = None) -> list[dict[str, Any]]:
    text = {"type": "text", "text": "look"}
    rows = [TranscriptMessage(1, "user", [text, *map(named, ids)], None)]
    (row,) = await (reader or bench.attachments).fill(bench.chat.chat, rows)
    assert row.parts[0] == text
    assert rows[0].parts[1:] == [named(file) for file in ids], "the rows stay as they are"
    return row.parts[1:]


async def test_a_file_is_read_and_history_keeps_its_id(bench: Bench):
    file = await stored(bench)
    assert await filled(bench, file) == [{**named(file), "data": base64.b64encode(PICTURE).decode()}]


async def test_a_file_that_is_gone_or_another_chats_is_not_read(bench: Bench):
    gone, foreign = await stored(bench), await stored(bench)
    async with bench.chat.engine.begin() as conn:
        await conn.execute(update(files).where(files.c.id == gone).values(state="gone"))
        await conn.execute(update(files).where(files.c.id == foreign).values(chat_id=None))
    assert await filled(bench, gone, foreign) == [named(gone), named(foreign)]


async def test_the_newest_files_have_the_room_and_the_others_are_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(attachments, "MAX_TOTAL_BYTES", 2 * len(PICTURE))
    old, middle, new = [await stored(bench) for _ in range(3)]
    left_out, *kept = await filled(bench, old, middle, new)
    assert left_out["type"] == "text"
    assert "cat.png" in left_out["text"]
    assert [part["file_id"] for part in kept] == [str(middle), str(new)]
    assert all("data" in part for part in kept)


async def test_bytes_are_read_once_while_there_is_room_for_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    file, reader = await stored(bench), bench.attachments
    first = await filled(bench, file, reader=reader)
    await PostgresBlobs(bench.chat.engine).delete(file)
    assert await filled(bench, file, reader=reader) == first
    monkeypatch.setattr(attachments, "_CACHE_BYTES", len(PICTURE))
    another = await stored(bench)
    await filled(bench, another, reader=reader)
    assert await filled(bench, file, reader=reader) == [named(file)], "it had to make room"
