"""API tokens: made once, shown once, kept as hashes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, Row, Uuid, any_, delete, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.permissions import Scope
from models.store.accounts import hash_secret, known_scopes, new_secret
from models.store.audit import Change, write_change
from models.store.reading import reading, transaction
from models.store.tables import api_tokens

USED_AGAIN_SECONDS = 60
"""`last_used_at` is written at most this often."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token about to be made. `kind`: `token`, or `session` for one that a sign-in makes."""

    user_id: UUID
    name: str
    scopes: frozenset[Scope] = frozenset({Scope.ALL})
    expires_at: datetime | None = None
    kind: str = "token"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token without its secret."""

    id: UUID
    user_id: UUID
    name: str
    kind: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


_COLUMNS = [api_tokens.c[name] for name in TokenRecord.__dataclass_fields__]


async def add_token(conn: AsyncConnection, new: NewToken) -> tuple[TokenRecord, str]:
    """Make a token within a transaction. Its secret is returned here and kept nowhere."""
    secret = new_secret()
    made = await conn.execute(
        insert(api_tokens)
        .values(
            id=uuid4(),
            user_id=new.user_id,
            name=new.name,
            kind=new.kind,
            scopes=sorted(new.scopes),
            secret_hash=hash_secret(secret),
            expires_at=new.expires_at,
        )
        .returning(*_COLUMNS)
    )
    return _record(made.one()), secret


async def create_token(
    engine: AsyncEngine, new: NewToken, change: Change | None = None
) -> tuple[TokenRecord, str]:
    """Make a token, and note it in the audit log."""
    async with transaction(engine) as conn:
        record, secret = await add_token(conn, new)
        await write_change(conn, change, target_id=record.id)
        return record, secret


async def list_tokens(engine: AsyncEngine, user_id: UUID) -> list[TokenRecord]:
    """A user's tokens that have not expired, newest first."""
    async with reading(engine) as conn:
        found = await conn.execute(
            select(*_COLUMNS)
            .where(
                api_tokens.c.user_id == user_id,
                or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > func.now()),
            )
            .order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
        )
        return [_record(row) for row in found]


async def find_token(engine: AsyncEngine, user_id: UUID, token_id: UUID) -> TokenRecord | None:
    """One token of a user."""
    async with reading(engine) as conn:
        found = await conn.execute(
            select(*_COLUMNS).where(api_tokens.c.user_id == user_id, api_tokens.c.id == token_id)
        )
        row = found.one_or_none()
    return None if row is None else _record(row)


async def revoke_token(
    engine: AsyncEngine, user_id: UUID, token_id: UUID, change: Change | None = None
) -> bool:
    """Forget a token; whether there was one."""
    async with transaction(engine) as conn:
        gone = await conn.scalar(
            delete(api_tokens)
            .where(api_tokens.c.user_id == user_id, api_tokens.c.id == token_id)
            .returning(api_tokens.c.id)
        )
        if gone is None:
            return False
        await write_change(conn, change)
        return True


async def note_use(engine: AsyncEngine, token_ids: Collection[UUID]) -> None:
    """Write down that these tokens have just been used, where that is not known of the last minute."""
    async with reading(engine) as conn:
        age = func.make_interval(0, 0, 0, 0, 0, 0, USED_AGAIN_SECONDS)
        await conn.execute(
            update(api_tokens)
            .where(
                api_tokens.c.id == any_(literal(list(token_ids), ARRAY(Uuid))),
                or_(api_tokens.c.last_used_at.is_(None), api_tokens.c.last_used_at < func.now() - age),
            )
            .values(last_used_at=func.now())
        )


def _record(row: Row[*tuple[object, ...]] | Sequence[object]) -> TokenRecord:
    token = TokenRecord(*row)  # pyright: ignore[reportArgumentType]
    return TokenRecord(
        token.id,
        token.user_id,
        token.name,
        token.kind,
        sorted(known_scopes(token.scopes)),
        token.created_at,
        token.expires_at,
        token.last_used_at,
    )
