"""Signed links: who holds one may fetch one file, as one user, until a time."""

import time
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.signing import read_signing_keys

LINK_SECONDS = 300
_SALT = "perdure.files"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link allows."""

    file_id: UUID
    user_id: UUID
    expires_at: int


class FileLinks:
    """Makes links and reads them. The keys are read from the database once per process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._signer: URLSafeSerializer | None = None

    async def make(self, file_id: UUID, user_id: UUID) -> tuple[str, Link]:
        """A token, and what it allows. Times are whole seconds since 1970."""
        link = Link(file_id, user_id, int(time.time()) + LINK_SECONDS)
        signer = await self._ready()
        return signer.dumps([str(file_id), str(user_id), link.expires_at]), link

    async def read(self, token: str) -> Link | None:
        """What a token allows; None if it is none of ours or has expired."""
        try:
            file_id, user_id, expires_at = cast("list[Any]", (await self._ready()).loads(token))
        except BadSignature:
            return None
        link = Link(UUID(file_id), UUID(user_id), expires_at)
        return link if link.expires_at > time.time() else None

    async def _ready(self) -> URLSafeSerializer:
        if self._signer is None:
            keys = await read_signing_keys(self._engine)
            self._signer = URLSafeSerializer(cast(Any, keys), salt=_SALT)
        return self._signer
