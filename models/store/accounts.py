"""Who is calling."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncEngine

from models.permissions import ROLES, SITE_OWNER, Permission, Role, Scope, SiteRole, granted
from models.store.reading import reading
from models.store.tables import api_tokens, memberships, users

_SCOPES = frozenset(scope.value for scope in Scope)


@dataclass(frozen=True, slots=True)
class Caller:
    """The user a request is made for. Queries for a person take it, and see only what is theirs.

    Attributes:
        memberships: Organizations and the roles in them, the one joined first before the others.
        scopes: What the token is good for, with everything that is implied.
    """

    user_id: UUID
    username: str
    name: str
    site_role: SiteRole
    memberships: tuple[tuple[UUID, Role], ...]
    token_id: UUID
    scopes: frozenset[Scope]

    @property
    def organization_ids(self) -> list[UUID]:
        return [organization for organization, _ in self.memberships]

    def role_in(self, organization_id: UUID) -> Role | None:
        """The role in an organization; None: no member."""
        return next(
            (role for organization, role in self.memberships if organization == organization_id), None
        )

    def may(self, permission: Permission, organization_id: UUID) -> bool:
        """Whether the caller may do this with an organization."""
        if self.site_role is SiteRole.OWNER and permission in SITE_OWNER:
            return True
        role = self.role_in(organization_id)
        return role is not None and permission in ROLES[role]

    def organizations_with(self, permission: Permission) -> list[UUID]:
        """Organizations in which the caller's role lets them do this."""
        return [organization for organization, role in self.memberships if permission in ROLES[role]]


def hash_secret(secret: str) -> bytes:
    """What is kept of a token. It has 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).digest()


def new_secret() -> str:
    """The secret of a new token."""
    return f"perdure_{secrets.token_urlsafe(32)}"


def token_is_valid() -> ColumnElement[bool]:
    """A token that has not expired, of a user who is not suspended. Needs both tables."""
    return (users.c.status == "active") & or_(
        api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > func.now()
    )


async def find_caller(engine: AsyncEngine, secret: str) -> tuple[Caller, datetime | None] | None:
    """The user a token belongs to, and when the token expires; None if there is no such valid token."""
    membership = func.json_build_array(memberships.c.organization_id, memberships.c.role)
    joined = (
        select(
            func.json_agg(
                aggregate_order_by(membership, memberships.c.created_at, memberships.c.organization_id)
            )
        )
        .where(memberships.c.user_id == users.c.id)
        .scalar_subquery()
    )
    async with reading(engine) as conn:
        result = await conn.execute(
            select(
                users.c.id,
                users.c.username,
                users.c.name,
                users.c.site_role,
                joined.label("joined"),
                api_tokens.c.id.label("token_id"),
                api_tokens.c.scopes,
                api_tokens.c.expires_at,
            )
            .join(api_tokens, api_tokens.c.user_id == users.c.id)
            .where(api_tokens.c.secret_hash == hash_secret(secret), token_is_valid())
        )
        row = result.one_or_none()
    if row is None:
        return None
    caller = Caller(
        row.id,
        row.username,
        row.name,
        SiteRole(row.site_role),
        tuple((UUID(organization), Role(role)) for organization, role in row.joined or ()),
        row.token_id,
        granted(known_scopes(row.scopes)),
    )
    return caller, row.expires_at


def known_scopes(stored: Collection[str]) -> frozenset[Scope]:
    """Scopes as a token's row names them; one that this version does not know grants nothing."""
    return frozenset(Scope(name) for name in stored if name in _SCOPES)
