"""Providers and their keys, as administrators and users set them up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, any_, delete, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.providers import KeyPolicy, ProviderSettings, ProviderType
from models.store.audit import Change, write_change
from models.store.catalog import delete_models_of
from models.store.configuration import (
    PROVIDERS,
    ProviderRecord,
    StoredSecret,
    provider_of,
    provider_secret,
    user_secret,
)
from models.store.reading import reading, transaction
from models.store.tables import ai_provider_keys, ai_providers, user_ai_provider_keys

SAME_NAME = "ai_providers_name"


class ProviderExists(Exception):
    """There is a provider of this name already."""


@dataclass(frozen=True, slots=True)
class NewProvider:
    """A provider to be added. `organization_id` None: for the whole deployment."""

    organization_id: UUID | None
    type: ProviderType
    name: str
    display_name: str
    icon: str = ""
    base_url: str | None = None
    enabled: bool = True
    settings: ProviderSettings = ProviderSettings()
    policy: KeyPolicy = KeyPolicy()


Reach = Sequence[UUID] | None
"""The organizations whose providers somebody sees, beside those of the deployment; None: all."""


def _within(reach: Reach) -> Any:
    there = ai_providers.c.deleted.is_(False)
    if reach is None:
        return there
    organizations = literal(list(reach), ARRAY(Uuid))
    return and_(
        there,
        or_(ai_providers.c.organization_id.is_(None), ai_providers.c.organization_id == any_(organizations)),
    )


async def list_providers(engine: AsyncEngine, reach: Reach) -> list[ProviderRecord]:
    """The providers in reach, disabled ones included, oldest first."""
    async with reading(engine) as conn:
        result = await conn.execute(
            PROVIDERS.where(_within(reach)).order_by(ai_providers.c.created_at, ai_providers.c.id)
        )
        return [provider_of(row) for row in result.mappings()]


async def find_provider(engine: AsyncEngine, reach: Reach, provider_id: UUID) -> ProviderRecord | None:
    """One of them."""
    async with reading(engine) as conn:
        return await _find(conn, reach, provider_id)


async def create_provider(
    engine: AsyncEngine,
    new: NewProvider,
    provider_id: UUID,
    key: StoredSecret | None,
    change: Change | None = None,
) -> ProviderRecord:
    """Add a provider.

    Args:
        provider_id: a new id; the key is sealed for it.

    Raises:
        ProviderExists: the name is taken.
    """
    async with transaction(engine) as conn:
        await _unless_there(
            conn,
            insert(ai_providers).values(
                id=provider_id,
                organization_id=new.organization_id,
                type=new.type,
                name=new.name,
                display_name=new.display_name,
                icon=new.icon,
                base_url=new.base_url,
                enabled=new.enabled,
                settings=new.settings.stored(),
                **new.policy.model_dump(),
            ),
        )
        await _put_key(conn, provider_id, key)
        await write_change(conn, change, target_id=provider_id, status=201)
        result = await conn.execute(PROVIDERS.where(ai_providers.c.id == provider_id))
        return provider_of(result.mappings().one())


async def change_provider(
    engine: AsyncEngine,
    reach: Reach,
    provider_id: UUID,
    changes: Mapping[str, Any],
    *,
    key: StoredSecret | None = None,
    remove_key: bool = False,
    change: Change | None = None,
) -> ProviderRecord | None:
    """Change a provider; None if there is none in reach.

    Args:
        changes: columns and their new values.
        key: replaces the one it has.
        remove_key: take away the one it has.

    Raises:
        ProviderExists: the new name is taken.
    """
    async with transaction(engine) as conn:
        found = await conn.scalar(
            select(ai_providers.c.id)
            .where(_within(reach), ai_providers.c.id == provider_id)
            .with_for_update()
        )
        if found is None:
            return None
        changing = update(ai_providers).where(ai_providers.c.id == provider_id)
        await _unless_there(conn, changing.values(**changes, updated_at=func.now()))
        if remove_key:
            await conn.execute(
                delete(ai_provider_keys).where(ai_provider_keys.c.ai_provider_id == provider_id)
            )
        await _put_key(conn, provider_id, key)
        await write_change(conn, change)
        return await _find(conn, reach, provider_id)


async def delete_provider(
    engine: AsyncEngine, reach: Reach, provider_id: UUID, change: Change | None = None
) -> bool:
    """Delete a provider: its keys for good, its models are on offer no more.

    Returns:
        Whether there was one.
    """
    async with transaction(engine) as conn:
        result = await conn.execute(
            update(ai_providers)
            .where(_within(reach), ai_providers.c.id == provider_id)
            .values(deleted=True, enabled=False, updated_at=func.now())
        )
        if result.rowcount == 0:
            return False
        for table in (ai_provider_keys, user_ai_provider_keys):
            await conn.execute(delete(table).where(table.c.ai_provider_id == provider_id))
        await delete_models_of(conn, provider_id)
        await write_change(conn, change, status=204)
        return True


async def set_user_key(
    engine: AsyncEngine, user_id: UUID, provider_id: UUID, key: StoredSecret, change: Change | None = None
) -> None:
    """Store a user's own key of a provider."""
    values = {"sealed": key.data, "master_key_id": key.master_key_id, "updated_at": func.now()}
    statement = upsert(user_ai_provider_keys).values(user_id=user_id, ai_provider_id=provider_id, **values)
    async with transaction(engine) as conn:
        await conn.execute(
            statement.on_conflict_do_update(index_elements=["user_id", "ai_provider_id"], set_=values)
        )
        await write_change(conn, change)


async def delete_user_key(
    engine: AsyncEngine, user_id: UUID, provider_id: UUID, change: Change | None = None
) -> bool:
    """Remove a user's own key of a provider.

    Returns:
        Whether there was one.
    """
    async with transaction(engine) as conn:
        result = await conn.execute(
            delete(user_ai_provider_keys).where(
                user_ai_provider_keys.c.user_id == user_id,
                user_ai_provider_keys.c.ai_provider_id == provider_id,
            )
        )
        if result.rowcount:
            await write_change(conn, change, status=204)
        return result.rowcount > 0


async def secrets_of_other_keys(engine: AsyncEngine, master_key_id: str, limit: int) -> list[StoredSecret]:
    """Secrets that were sealed with another master key than this one."""
    async with reading(engine) as conn:
        own = await conn.execute(
            select(ai_provider_keys).where(ai_provider_keys.c.master_key_id != master_key_id).limit(limit)
        )
        found = [
            StoredSecret(row.sealed, row.master_key_id, provider_secret(row.ai_provider_id)) for row in own
        ]
        users = await conn.execute(
            select(user_ai_provider_keys)
            .where(user_ai_provider_keys.c.master_key_id != master_key_id)
            .limit(limit)
        )
        return found + [
            StoredSecret(row.sealed, row.master_key_id, user_secret(row.user_id, row.ai_provider_id))
            for row in users
        ]


async def replace_secret(engine: AsyncEngine, old: StoredSecret, new: StoredSecret) -> bool:
    """Put the same secret, sealed anew, in the place of the old form.

    Returns:
        Whether it was still there; somebody may have changed or removed it meanwhile.
    """
    table_name, *ids = old.belongs_to.split("/")
    table = {t.name: t for t in (ai_provider_keys, user_ai_provider_keys)}[table_name]
    row = and_(*(column == UUID(value) for column, value in zip(table.primary_key, ids, strict=True)))
    async with reading(engine) as conn:
        result = await conn.execute(
            update(table)
            .where(row, table.c.sealed == old.data)
            .values(sealed=new.data, master_key_id=new.master_key_id)
        )
        return result.rowcount > 0


async def _find(conn: AsyncConnection, reach: Reach, provider_id: UUID) -> ProviderRecord | None:
    result = await conn.execute(PROVIDERS.where(_within(reach), ai_providers.c.id == provider_id))
    row = result.mappings().one_or_none()
    return None if row is None else provider_of(row)


async def _put_key(conn: AsyncConnection, provider_id: UUID, key: StoredSecret | None) -> None:
    if key is None:
        return
    values = {"sealed": key.data, "master_key_id": key.master_key_id, "updated_at": func.now()}
    statement = upsert(ai_provider_keys).values(ai_provider_id=provider_id, **values)
    await conn.execute(statement.on_conflict_do_update(index_elements=["ai_provider_id"], set_=values))


async def _unless_there(conn: AsyncConnection, statement: Any) -> None:
    try:
        await conn.execute(statement)
    except IntegrityError as error:
        if SAME_NAME in str(error.orig):
            raise ProviderExists from None
        raise
