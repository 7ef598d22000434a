"""Users as an OpenID provider knows them, and the sessions that their sign-ins make."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.permissions import Role, Scope
from models.store.audit import Change, write_change
from models.store.reading import transaction
from models.store.tables import organizations, user_identities, users
from models.store.tokens import NewToken, add_token
from models.store.users import RESERVED_USERNAMES, NewUser, add_user

_LOCK = 0x50455249
_UNFIT = re.compile(r"[^a-zA-Z0-9._-]+")
_MAX_USERNAME = 64


@dataclass(frozen=True, slots=True)
class Identity:
    """What a provider says about who has signed in. `email`: None unless the provider has verified it."""

    issuer: str
    subject: str
    username: str
    name: str
    email: str | None


class NotInvited(Exception):
    """There is no user for this identity, and none is to be made."""


class Suspended(Exception):
    """The user may not come in."""


async def sign_in(
    engine: AsyncEngine,
    identity: Identity,
    *,
    join: str | None,
    session_until: datetime,
    request_id: str,
) -> str:
    """Begin a session.

    The identity decides who it is. One that is new is taken for the user with the same address, where the
    provider has verified that: an administrator has put it there. Else a new user is made.

    Args:
        join: Name of the organization that new users become members of; None: no users are made.

    Returns:
        The secret of the session's token.

    Raises:
        NotInvited: There is no such user.
        Suspended: There is one, who is suspended.
    """
    async with transaction(engine) as conn:
        # two first sign-ins at once must not make two users
        await conn.execute(select(func.pg_advisory_xact_lock(_LOCK, func.hashtext(identity.subject))))
        user_id = await _known(conn, identity) or await _linked(conn, identity)
        if user_id is None:
            user_id = await _made(conn, identity, join)
        found = await conn.execute(
            select(users.c.username, users.c.status).where(users.c.id == user_id).with_for_update()
        )
        username, status = found.one()
        if status != "active":
            raise Suspended
        session = NewToken(user_id, "sign-in", frozenset({Scope.ALL}), session_until, kind="session")
        record, secret = await add_token(conn, session)
        await write_change(
            conn,
            Change(
                user_id=user_id,
                username=username,
                action="login",
                target_type="session",
                target_id=str(record.id),
                request_id=request_id,
                changes={"issuer": identity.issuer},
            ),
        )
        return secret


async def _known(conn: AsyncConnection, identity: Identity) -> UUID | None:
    return await conn.scalar(
        select(user_identities.c.user_id).where(
            user_identities.c.issuer == identity.issuer, user_identities.c.subject == identity.subject
        )
    )


async def _linked(conn: AsyncConnection, identity: Identity) -> UUID | None:
    if identity.email is None:
        return None
    other = (
        select(literal(1))
        .where(user_identities.c.user_id == users.c.id, user_identities.c.issuer == identity.issuer)
        .exists()
    )
    user_id = await conn.scalar(select(users.c.id).where(_has_address(identity.email), ~other))
    if user_id is not None:
        await _link(conn, identity, user_id)
    return user_id


async def _made(conn: AsyncConnection, identity: Identity, join: str | None) -> UUID:
    if join is None:
        raise NotInvited
    organization = await conn.scalar(select(organizations.c.id).where(organizations.c.name == join))
    taken = identity.email is not None and await conn.scalar(
        select(users.c.id).where(_has_address(identity.email))
    )
    new = NewUser(
        await _free_username(conn, identity.username),
        identity.name[:128],
        None if taken else identity.email,
        () if organization is None else ((organization, Role.MEMBER),),
    )
    user = await add_user(conn, new)
    await _link(conn, identity, user.id)
    return user.id


def _has_address(email: str) -> ColumnElement[bool]:
    return func.lower(users.c.email) == email.lower()


async def _link(conn: AsyncConnection, identity: Identity, user_id: UUID) -> None:
    await conn.execute(
        insert(user_identities).values(issuer=identity.issuer, subject=identity.subject, user_id=user_id)
    )


async def _free_username(conn: AsyncConnection, wanted: str) -> str:
    fit = _UNFIT.sub("-", wanted.partition("@")[0]).strip("._-")[: _MAX_USERNAME - 9].rstrip("._-") or "user"
    taken = await conn.scalar(select(users.c.id).where(users.c.username == fit))
    return fit if taken is None and fit not in RESERVED_USERNAMES else f"{fit}-{uuid4().hex[:8]}"
