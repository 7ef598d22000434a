"""The first account of a new installation."""

from collections.abc import Callable
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.permissions import Role, SiteRole
from models.store.reading import transaction
from models.store.tables import memberships, organizations, users
from models.store.tokens import NewToken, add_token

FIRST_ORGANIZATION = "default"
FIRST_USER = "admin"

_BOOTSTRAP_LOCK = 0x50455242


async def bootstrap(engine: AsyncEngine, deliver: Callable[[str], None]) -> UUID:
    """Make the first organization, its first user, who owns the site, and a token, unless they exist.

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
        organization_id, user_id = uuid4(), uuid4()
        await conn.execute(insert(organizations).values(id=organization_id, name=FIRST_ORGANIZATION))
        await conn.execute(
            insert(users).values(
                id=user_id, username=FIRST_USER, name="Administrator", site_role=SiteRole.OWNER
            )
        )
        await conn.execute(
            insert(memberships).values(user_id=user_id, organization_id=organization_id, role=Role.OWNER)
        )
        _, secret = await add_token(conn, NewToken(user_id, "first start"))
        deliver(secret)
        return organization_id
