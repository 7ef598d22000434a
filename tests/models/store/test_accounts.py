"""The first account, and tokens."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store import accounts
from models.store.tables import api_tokens, organizations, users


@pytest.fixture
async def no_first_account(engine: AsyncEngine) -> None:
    """As on the first day, whatever other tests have left under the name."""
    async with engine.begin() as conn:
        first = select(organizations.c.id).where(organizations.c.name == accounts.FIRST_ORGANIZATION)
        old = uuid4().hex
        await conn.execute(
            update(users).where(users.c.organization_id.in_(first)).values(username=users.c.username + old)
        )
        await conn.execute(update(organizations).where(organizations.c.id.in_(first)).values(name=old))


@pytest.mark.usefixtures("no_first_account")
async def test_the_first_account_is_made_once(engine: AsyncEngine):
    tokens: list[str] = []
    first = await accounts.bootstrap(engine, tokens.append)
    assert await accounts.bootstrap(engine, tokens.append) == first
    assert len(tokens) == 1
    found = await accounts.find_caller(engine, tokens[0])
    assert found is not None
    caller, expires_at = found
    assert (caller.username, caller.organization_id, expires_at) == ("admin", first, None)


@pytest.mark.usefixtures("no_first_account")
async def test_an_account_whose_token_could_not_be_delivered_is_not_made(engine: AsyncEngine):
    def full_disk(token: str) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        await accounts.bootstrap(engine, full_disk)
    tokens: list[str] = []
    await accounts.bootstrap(engine, tokens.append)
    assert len(tokens) == 1


async def test_tokens_are_kept_as_hashes_and_expire(engine: AsyncEngine):
    organization = uuid4()
    async with engine.begin() as conn:
        await conn.execute(insert(organizations).values(id=organization, name=str(organization)))
    user = await accounts.create_user(engine, organization, str(organization))
    later = datetime.now(UTC) + timedelta(hours=1)
    token = await accounts.create_token(engine, user.user_id, "t", later)
    assert token.startswith("perdure_")
    assert await accounts.find_caller(engine, token) == (user, later)
    async with engine.begin() as conn:
        stored = await conn.scalar(
            select(api_tokens.c.secret_hash).where(api_tokens.c.user_id == user.user_id)
        )
        await conn.execute(
            update(api_tokens)
            .where(api_tokens.c.user_id == user.user_id)
            .values(expires_at=later - timedelta(hours=2))
        )
    assert stored == accounts.hash_secret(token)
    assert await accounts.find_caller(engine, token) is None
    async with engine.begin() as conn:
        await conn.execute(delete(api_tokens).where(api_tokens.c.user_id == user.user_id))
