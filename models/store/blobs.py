"""Bytes of files in the database: the blob store that needs nothing else (`runtime.blobs`)."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.reading import reading
from models.store.tables import blobs


@dataclass(frozen=True, slots=True)
class PostgresBlobs:
    """Blobs as rows. Written once under a key, never changed."""

    engine: AsyncEngine

    async def put(self, key: UUID, data: bytes) -> None:
        async with reading(self.engine) as conn:
            await conn.execute(insert(blobs).values(id=key, data=data).on_conflict_do_nothing())

    async def get(self, key: UUID) -> bytes | None:
        async with reading(self.engine) as conn:
            return await conn.scalar(select(blobs.c.data).where(blobs.c.id == key))

    async def delete(self, key: UUID) -> None:
        async with reading(self.engine) as conn:
            await conn.execute(delete(blobs).where(blobs.c.id == key))
