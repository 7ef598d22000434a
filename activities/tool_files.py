"""Files that tools attach: their bytes are stored before the result is, which alone makes them the chat's.

Whoever dies in between leaves files of no chat behind, and the sweeper deletes them. Another attempt brings
its own.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.passing import passes
from activities.tools.tool import Attachment
from models.parts import FilePart, dump_part
from models.store.files import NewFile, announce_for_chat
from runtime.blobs import BlobStore, BlobsUnavailable

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.25


@dataclass(frozen=True)
class ToolFiles:
    """Where files of tools go. A store that is away is waited for so long."""

    engine: AsyncEngine
    blobs: BlobStore
    patience_seconds: float = PATIENCE_SECONDS

    async def store(self, chat_id: UUID, files: Sequence[Attachment]) -> list[dict[str, Any]]:
        """Store files for a chat; their parts, in stored form.

        Raises:
            BlobsUnavailable: the store of the files is away, and has been for long.
        """
        patience = time.monotonic() + self.patience_seconds
        return [await self._store(chat_id, file, patience) for file in files]

    async def _store(self, chat_id: UUID, file: Attachment, patience: float) -> dict[str, Any]:
        new = await asyncio.to_thread(NewFile.of, file.name, file.media_type, file.data)
        while True:
            try:
                await announce_for_chat(self.engine, chat_id, file.id, new)
                await self.blobs.put(file.id, file.data)
                break
            except Exception as error:
                # the result can say that its files are missing, so their store is not waited for without end
                out_of_patience = isinstance(error, BlobsUnavailable) and time.monotonic() > patience
                if out_of_patience or not passes(error):
                    raise
                log.warning("a file waits for its store", error=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)
        return dump_part(
            FilePart(
                file_id=str(file.id), media_type=file.media_type, name=file.name, created_at=datetime.now(UTC)
            )
        )
