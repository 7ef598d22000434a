"""Who may use which model (spec api.md section 11): everybody in its organization, unless it was taken from
`everyone`. Who manages the organization may use all of its models."""

from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from models.permissions import Permission, SiteRole, roles_with
from models.store.audit import Change, write_change
from models.store.reading import reading, transaction
from models.store.scoping import Who
from models.store.sharing import ReadersEdit, apply_edit, shared_model
from models.store.tables import (
    group_members,
    memberships,
    model_configs,
    model_group_readers,
    model_user_readers,
    users,
)


def open_to(who: Who) -> ColumnElement[bool]:
    """Whether a user may use the model of a row, as far as sharing goes: not whether it works, nor whether
    they are in its organization."""
    return or_(model_configs.c.everyone, _let_in(who))


def _let_in(who: Who) -> ColumnElement[bool]:
    person = users.alias()  # queries that this goes into may join users
    by_group = (
        select(model_group_readers.c.model_config_id)
        .join(group_members, group_members.c.group_id == model_group_readers.c.group_id)
        .where(model_group_readers.c.model_config_id == model_configs.c.id, group_members.c.user_id == who)
    )
    return or_(
        exists().where(
            model_user_readers.c.model_config_id == model_configs.c.id, model_user_readers.c.user_id == who
        ),
        by_group.exists(),
        exists().where(
            memberships.c.organization_id == model_configs.c.organization_id,
            memberships.c.user_id == who,
            memberships.c.role.in_(roles_with(Permission.MANAGE)),
        ),
        exists().where(person.c.id == who, person.c.site_role == SiteRole.OWNER),
    )


async def read_let_in(engine: AsyncEngine, user_id: UUID) -> frozenset[UUID]:
    """The models that are not for everybody, but for this user."""
    query = select(model_configs.c.id).where(
        ~model_configs.c.everyone, ~model_configs.c.deleted, _let_in(user_id)
    )
    async with reading(engine) as conn:
        return frozenset(await conn.scalars(query))


async def edit_model_readers(
    engine: AsyncEngine,
    model_config_id: UUID,
    organization_id: UUID,
    edit: ReadersEdit,
    change: Change | None = None,
) -> None:
    """Say who may use a model, all of it or nothing. The organization's own id stands among the groups for
    everybody in it.

    Raises:
        UnknownPrincipals: Somebody named is not of the organization.
    """
    groups = dict(edit.groups)
    everyone = groups.pop(organization_id, None)
    async with transaction(engine) as conn:
        await apply_edit(
            conn, shared_model(model_config_id, organization_id), ReadersEdit(edit.users, groups)
        )
        if everyone is not None:
            await conn.execute(
                update(model_configs).where(model_configs.c.id == model_config_id).values(everyone=everyone)
            )
        await write_change(conn, change, status=204)
