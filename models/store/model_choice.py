"""Which model answers a message that was stored a while ago: the one it names may have gone since."""

from uuid import UUID

from sqlalchemy import or_, select

from models.store.bundle import Bundle
from models.store.model_access import open_to
from models.store.tables import ai_providers, model_configs


async def still_usable(bundle: Bundle, wanted: UUID | None) -> UUID | None:
    """The model `wanted` if the chat's organization may still use it, else the organization's default; None
    if there is neither (spec state-machine.md section 3, queue rules)."""
    return await bundle.conn.scalar(
        select(model_configs.c.id)
        .join(ai_providers, ai_providers.c.id == model_configs.c.ai_provider_id)
        .where(
            model_configs.c.organization_id == bundle.row["organization_id"],
            model_configs.c.enabled,
            model_configs.c.deleted.is_(False),
            open_to(bundle.row["owner_id"]),
            ai_providers.c.enabled,
            ai_providers.c.deleted.is_(False),
            or_(model_configs.c.id == wanted, model_configs.c.is_default),
        )
        .order_by((model_configs.c.id == wanted).desc())
        .limit(1)
    )
