"""Files that messages name, read for a model call.

History keeps the ids only. A file may be gone by the time of the next call, and what many files weigh
together must fit into one request; what is not sent is named, so that the model knows of it.
"""

import base64
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from models.parts import TextPart, dump_part
from models.store.file_links import named_files
from models.store.files import media_types
from models.store.transcripts import TranscriptMessage
from runtime.blobs import BlobStore

MAX_TOTAL_BYTES = 20 * 1024 * 1024
"""Of all files of one request; vendors take 20 to 32 MiB with everything around them. The newest go first."""

_CACHE_BYTES = 64 * 1024 * 1024

StoredPart = dict[str, Any]


class Attachments:
    """Reads files for model calls. Bytes under an id never change, so a worker keeps those used last."""

    def __init__(self, engine: AsyncEngine, blobs: BlobStore) -> None:
        self._engine = engine
        self._blobs = blobs
        self._kept: OrderedDict[UUID, bytes] = OrderedDict()
        self._kept_bytes = 0

    async def fill(self, chat_id: UUID, transcript: Sequence[TranscriptMessage]) -> list[TranscriptMessage]:
        """The transcript with its files in it. One without files passes at no cost.

        Raises:
            BlobsUnavailable: the store of the files is away.
        """
        # what a tool has attached is for people: the model has its result
        named = named_files([part for row in transcript if row.role == "user" for part in row.parts])
        if not named:
            return list(transcript)
        kinds = await media_types(self._engine, chat_id, named)
        data = await self._read_newest(file_id for file_id in reversed(named) if file_id in kinds)
        return [replace(row, parts=[_filled(part, data) for part in row.parts]) for row in transcript]

    async def _read_newest(self, ids: Iterable[UUID]) -> dict[str, bytes | None]:
        """Bytes by id, as far as the room goes; None for those beyond it."""
        read: dict[str, bytes | None] = {}
        total = 0
        for file_id in ids:
            data = await self._get(file_id)
            if data is None:
                continue
            total += len(data)
            read[str(file_id)] = data if total <= MAX_TOTAL_BYTES else None
        return read

    async def _get(self, file_id: UUID) -> bytes | None:
        kept = self._kept.get(file_id)
        if kept is not None:
            self._kept.move_to_end(file_id)
            return kept
        data = await self._blobs.get(file_id)
        if data is not None and file_id not in self._kept:
            self._kept[file_id] = data
            self._kept_bytes += len(data)
            while self._kept_bytes > _CACHE_BYTES:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1])
        return data


def _filled(part: StoredPart, data: dict[str, bytes | None]) -> StoredPart:
    """The part with its data. One that is gone stays as it is: `activities.prompt` says so in its place."""
    if part["type"] != "file" or part.get("file_id") not in data:
        return part
    content = data[part["file_id"]]
    if content is None:
        name = part.get("name") or "without a name"
        said = f"[file {name}: left out, because the files after it leave no room in this request]"
        return dump_part(TextPart(text=said))
    return {**part, "data": base64.b64encode(content).decode()}
