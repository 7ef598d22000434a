"""Settings of the deployment, and users' prompts."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from uuid import UUID

import structlog
from pydantic import ValidationError
from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from models.deployment import SETTINGS, Setting, SettingName
from models.store.audit import Change, write_change
from models.store.reading import reading, transaction
from models.store.tables import deployment_settings, user_prompts

log = structlog.get_logger(__name__)

_LOCK_WAIT = text("SET LOCAL lock_timeout = '5s'")


async def read_settings(engine: AsyncEngine) -> Mapping[SettingName, Setting]:
    """All settings, those that nobody made at their defaults."""
    async with reading(engine) as conn:
        result = await conn.execute(select(deployment_settings.c.name, deployment_settings.c.value))
        stored = {row.name: row.value for row in result}
    return MappingProxyType({name: _read(name, stored.get(name)) for name in SettingName})


async def write_setting(
    engine: AsyncEngine, name: SettingName, value: Setting, change: Change, *, kept: Collection[str] = ()
) -> bool:
    """Store a setting. Two writers go one after the other.

    Args:
        kept: fields of which the stored value stays.

    Returns:
        Whether it is another value than before; if not, nothing is written.

    Raises:
        sqlalchemy.exc.OperationalError: another writer has held it for 5 s.
    """
    async with transaction(engine) as conn:
        await conn.execute(_LOCK_WAIT)
        await conn.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"setting {name}"))))
        result = await conn.execute(
            select(deployment_settings.c.value).where(deployment_settings.c.name == name)
        )
        before = _read(name, result.scalar_one_or_none())
        after = value.model_copy(update={field: getattr(before, field) for field in kept})
        if before == after:
            return False
        values = {"value": after.model_dump(mode="json"), "updated_at": func.now()}
        await conn.execute(
            insert(deployment_settings)
            .values(name=name, **values)
            .on_conflict_do_update(index_elements=["name"], set_=values)
        )
        await write_change(conn, change, status=204)
        return True


async def write_user_prompt(engine: AsyncEngine, user_id: UUID, prompt: str) -> None:
    """Store what a user wants every model to know; an empty text is none."""
    async with reading(engine) as conn:  # one statement: it commits by itself
        if not prompt:
            await conn.execute(delete(user_prompts).where(user_prompts.c.user_id == user_id))
            return
        await conn.execute(
            insert(user_prompts)
            .values(user_id=user_id, prompt=prompt)
            .on_conflict_do_update(index_elements=["user_id"], set_={"prompt": prompt})
        )


def _read(name: SettingName, stored: object) -> Setting:
    try:
        return SETTINGS[name].model_validate(stored or {})
    except ValidationError:
        log.error("a setting cannot be read, its default holds", name=name)
        return SETTINGS[name]()
