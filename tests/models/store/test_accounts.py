"""The first account, and tokens."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from models.permissions import Permission, Role, Scope, SiteRole
from models.store import accounts, first_start
from models.store.tables import api_tokens, memberships, organizations, users
from models.store.tokens import NewToken, create_token, list_tokens, note_use
from models.store.users import NewUser, create_user


@pytest.fixture
async def no_first_account(engine: AsyncEngine) -> None:
    """As on the first day, whatever other tests have left under the name."""
    async with engine.begin() as conn:
        first = select(organizations.c.id).where(organizations.c.name == first_start.FIRST_ORGANIZATION)
        theirs = select(memberships.c.user_id).where(memberships.c.organization_id.in_(first))
        old = uuid4().hex
        await conn.execute(
            update(users).where(users.c.id.in_(theirs)).values(username=users.c.username + old)
        )
        await conn.execute(update(organizations).where(organizations.c.id.in_(first)).values(name=old))


@pytest.mark.usefixtures("no_first_account")
async def test_the_first_account_is_made_once_and_owns_the_site(engine: AsyncEngine):
    tokens: list[str] = []
    first = await first_start.bootstrap(engine, tokens.append)
    assert await first_start.bootstrap(engine, tokens.append) == first
    assert len(tokens) == 1
    found = await accounts.find_caller(engine, tokens[0])
    assert found is not None
    caller, expires_at = found
    assert (caller.username, caller.memberships, expires_at) == ("admin", ((first, Role.OWNER),), None)
    assert caller.site_role is SiteRole.OWNER
    assert caller.scopes == frozenset(Scope)


@pytest.mark.usefixtures("no_first_account")
async def test_an_account_whose_token_could_not_be_delivered_is_not_made(engine: AsyncEngine):
    def full_disk(token: str) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        await first_start.bootstrap(engine, full_disk)
    tokens: list[str] = []
    await first_start.bootstrap(engine, tokens.append)
    assert len(tokens) == 1


@pytest.fixture
async def organization(engine: AsyncEngine) -> UUID:
    organization = uuid4()
    async with engine.begin() as conn:
        await conn.execute(insert(organizations).values(id=organization, name=str(organization)))
    return organization


@pytest.fixture
async def user(engine: AsyncEngine, organization: UUID) -> AsyncGenerator[UUID]:
    made = await create_user(engine, NewUser(uuid4().hex, memberships=((organization, Role.AUDITOR),)))
    yield made.id
    async with engine.begin() as conn:
        await conn.execute(delete(api_tokens).where(api_tokens.c.user_id == made.id))


async def test_tokens_are_kept_as_hashes_and_expire(engine: AsyncEngine, user: UUID):
    later = datetime.now(UTC) + timedelta(hours=1)
    record, token = await create_token(engine, NewToken(user, "t", expires_at=later))
    assert token.startswith("perdure_")
    found = await accounts.find_caller(engine, token)
    assert found is not None
    assert (found[0].user_id, found[0].token_id, found[1]) == (user, record.id, later)
    async with engine.begin() as conn:
        stored = await conn.scalar(select(api_tokens.c.secret_hash).where(api_tokens.c.id == record.id))
        await conn.execute(
            update(api_tokens)
            .where(api_tokens.c.id == record.id)
            .values(expires_at=later - timedelta(hours=2))
        )
    assert stored == accounts.hash_secret(token)
    assert await accounts.find_caller(engine, token) is None
    assert await list_tokens(engine, user) == []


async def test_a_suspended_user_has_no_valid_token(engine: AsyncEngine, user: UUID):
    _, token = await create_token(engine, NewToken(user, "t"))
    async with engine.begin() as conn:
        await conn.execute(update(users).where(users.c.id == user).values(status="suspended"))
    assert await accounts.find_caller(engine, token) is None


async def test_the_scopes_of_a_token_imply_others(engine: AsyncEngine, user: UUID):
    _, token = await create_token(engine, NewToken(user, "t", frozenset({Scope.CHAT_WRITE})))
    async with engine.begin() as conn:  # as a later version may name one
        await conn.execute(
            update(api_tokens).where(api_tokens.c.user_id == user).values(scopes=["chat:write", "moon:land"])
        )
    found = await accounts.find_caller(engine, token)
    assert found is not None
    assert found[0].scopes == {Scope.CHAT_READ, Scope.CHAT_WRITE}


async def test_a_caller_may_what_the_role_in_each_organization_lets_them(
    engine: AsyncEngine, user: UUID, organization: UUID
):
    _, token = await create_token(engine, NewToken(user, "t"))
    found = await accounts.find_caller(engine, token)
    assert found is not None
    caller = found[0]
    assert caller.may(Permission.READ_AUDIT, organization)
    assert not caller.may(Permission.CREATE_CHATS, organization)
    assert not caller.may(Permission.READ_AUDIT, uuid4())
    assert caller.organizations_with(Permission.READ_ALL_CHATS) == [organization]
    assert caller.organizations_with(Permission.MANAGE) == []


async def test_use_is_noted_once_a_minute(engine: AsyncEngine, user: UUID):
    record, _ = await create_token(engine, NewToken(user, "t"))
    await note_use(engine, [record.id, uuid4()])
    (used,) = await list_tokens(engine, user)
    assert used.last_used_at is not None
    await note_use(engine, [record.id])
    assert (await list_tokens(engine, user))[0].last_used_at == used.last_used_at
    async with engine.begin() as conn:
        earlier = used.last_used_at - timedelta(seconds=61)
        await conn.execute(
            update(api_tokens).where(api_tokens.c.id == record.id).values(last_used_at=earlier)
        )
    await note_use(engine, [record.id])
    now = (await list_tokens(engine, user))[0].last_used_at
    assert now is not None
    assert now >= used.last_used_at
