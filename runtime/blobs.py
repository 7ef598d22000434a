"""Where the bytes of files are kept: in PostgreSQL, or in anything that speaks S3."""

from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.blobs import PostgresBlobs


class BlobStore(Protocol):
    """Bytes under a key. A key is written once; deleting one that is not there is no error."""

    async def put(self, key: UUID, data: bytes) -> None:
        """Store the bytes; once this returns they survive whatever dies."""
        ...

    async def get(self, key: UUID) -> bytes | None:
        """The bytes, None if there are none."""
        ...

    async def delete(self, key: UUID) -> None: ...


class BlobsUnavailable(ConnectionError):
    """The store cannot be reached, or refuses. The text says why, and holds no secret. Like every lost
    connection it is worth another attempt."""


class S3Blobs:
    """Blobs as objects of a bucket.

    Args:
        url: `s3://bucket` or `s3://bucket/prefix`. Endpoint, region and keys are read from the usual
            variables (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`), or
            come from the machine's role.
    """

    def __init__(self, url: str) -> None:
        try:
            from obstore import exceptions, store
        except ImportError as error:
            raise BlobsUnavailable("Files in S3 need one package more: pip install 'perdure[s3]'") from error
        self._errors = (exceptions.BaseError, OSError)
        self._missing = FileNotFoundError
        self._store = store.from_url(url)

    async def put(self, key: UUID, data: bytes) -> None:
        try:
            await self._store.put_async(str(key), data)
        except self._errors as error:
            raise BlobsUnavailable(type(error).__name__) from error

    async def get(self, key: UUID) -> bytes | None:
        try:
            found = await self._store.get_async(str(key))
            return bytes(await found.bytes_async())
        except self._missing:
            return None
        except self._errors as error:
            raise BlobsUnavailable(type(error).__name__) from error

    async def delete(self, key: UUID) -> None:
        try:
            await self._store.delete_async(str(key))
        except self._missing:
            return
        except self._errors as error:
            raise BlobsUnavailable(type(error).__name__) from error


def open_blobs(url: str | None, engine: AsyncEngine) -> BlobStore:
    """The configured store; the database where none is.

    Raises:
        BlobsUnavailable: it needs a package that is not installed.
    """
    return PostgresBlobs(engine) if url is None else S3Blobs(url)
