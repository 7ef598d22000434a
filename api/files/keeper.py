"""Deletes the bytes of files that are gone: evicted, never used, or never arrived whole."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store import files
from runtime.blobs import BlobStore

_INTERVAL_SECONDS = 60.0
_ARRIVING_SECONDS = 3600.0
"""An upload takes minutes; one that is still arriving after this long has lost its process."""

_BATCH = 100

log = structlog.get_logger("files")


class FileKeeper:
    """Looks for such files at start and then in intervals. Several replicas may do so at once: deleting
    twice is harmless."""

    def __init__(self, engine: AsyncEngine, blobs: BlobStore, *, unused_days: float) -> None:
        self._engine = engine
        self._blobs = blobs
        self._unused_seconds = unused_days * 86_400

    async def run(self) -> None:
        """Purge until cancelled."""
        while True:
            try:
                await self.purge()
            except (SQLAlchemyError, OSError) as error:
                log.warning("files could not be purged, will try again", error=type(error).__name__)
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def purge(self) -> None:
        """Delete what is there to delete now. A row is marked only after its bytes are gone, so that a
        process that dies in between leaves work and not waste."""
        while True:
            gone = await files.give_up(
                self._engine,
                arriving_seconds=_ARRIVING_SECONDS,
                unused_seconds=self._unused_seconds,
                limit=_BATCH,
            )
            for file_id in gone:
                await self._blobs.delete(file_id)
            await files.note_purged(self._engine, gone)
            if len(gone) < _BATCH:
                return
