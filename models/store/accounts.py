"""Who is calling, and the first account of a new installation."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.reading import reading, transaction
from models.store.tables import api_tokens, organizations, users

FIRST_ORGANIZATION = "default"
FIRST_USER = "admin"

_BOOTSTRAP_LOCK = 0x50455242


@dataclass(frozen=True, slots=True)
class Caller:
    """The user a request is made for. Queries about chats take it, and see only what is theirs."""

    user_id: UUID
    organization_id: UUID
    username: str
    name: str


def hash_secret(secret: str) -> bytes:
    """What is kept of a token. It has 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).digest()


async def find_caller(engine: AsyncEngine, secret: str) -> tuple[Caller, datetime | None] | None:
    """The user a token belongs to, and when the token expires; None if there is no such valid token."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(
                users.c.id, users.c.organization_id, users.c.username, users.c.name, api_tokens.c.expires_at
            )
            .join(api_tokens, api_tokens.c.user_id == users.c.id)
            .where(
                api_tokens.c.secret_hash == hash_secret(secret),
                (api_tokens.c.expires_at.is_(None)) | (api_tokens.c.expires_at > func.now()),
            )
        )
        row = result.one_or_none()
    if row is None:
        return None
    return Caller(row.id, row.organization_id, row.username, row.name), row.expires_at


async def find_active_user(engine: AsyncEngine, user_id: UUID) -> Caller | None:
    """A user who may still act; None if there is none with this id."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(users.c.id, users.c.organization_id, users.c.username, users.c.name).where(
                users.c.id == user_id
            )
        )
        row = result.one_or_none()
    return None if row is None else Caller(*row)


async def create_token(
    engine: AsyncEngine, user_id: UUID, name: str, expires_at: datetime | None = None
) -> str:
    """Make a token. Its secret is returned here and kept nowhere."""
    secret = _new_secret()
    async with transaction(engine) as conn:
        await conn.execute(
            insert(api_tokens).values(
                id=uuid4(), user_id=user_id, name=name, secret_hash=hash_secret(secret), expires_at=expires_at
            )
        )
    return secret


async def create_user(engine: AsyncEngine, organization_id: UUID, username: str, name: str = "") -> Caller:
    """Add a user to an organization."""
    user_id = uuid4()
    async with transaction(engine) as conn:
        await conn.execute(
            insert(users).values(id=user_id, organization_id=organization_id, username=username, name=name)
        )
    return Caller(user_id, organization_id, username, name)


async def bootstrap(engine: AsyncEngine, deliver: Callable[[str], None]) -> UUID:
    """Make the first organization, its first user and a token, unless they exist.

    Args:
        deliver: Is given the new token before it becomes valid, so that a crash in between leaves a
            token nobody can use instead of an account nobody can enter.

    Returns:
        The id of the first organization.
    """
    async with transaction(engine) as conn:
        await conn.execute(select(func.pg_advisory_xact_lock(_BOOTSTRAP_LOCK)))
        found = await conn.execute(
            select(organizations.c.id).where(organizations.c.name == FIRST_ORGANIZATION)
        )
        organization_id = found.scalar_one_or_none()
        if organization_id is not None:
            return organization_id
        organization_id, user_id, secret = uuid4(), uuid4(), _new_secret()
        await conn.execute(insert(organizations).values(id=organization_id, name=FIRST_ORGANIZATION))
        await conn.execute(
            insert(users).values(
                id=user_id, organization_id=organization_id, username=FIRST_USER, name="Administrator"
            )
        )
        await conn.execute(
            insert(api_tokens).values(
                id=uuid4(), user_id=user_id, name="first start", secret_hash=hash_secret(secret)
            )
        )
        deliver(secret)
        return organization_id


def _new_secret() -> str:
    return f"perdure_{secrets.token_urlsafe(32)}"
