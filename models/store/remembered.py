"""The answers of a chat that a vendor remembers, by their ids."""

from uuid import UUID

from sqlalchemy import bindparam, null, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.store.tables import messages

_FORGET = (
    update(messages)
    .where(messages.c.chat_id == bindparam("chat"), messages.c.provider_response_id.is_not(None))
    .values(provider_response_id=null())
)


async def forget_answers(conn: AsyncConnection, chat_id: UUID) -> None:
    """Take note that the vendor remembers none of a chat's answers: what loses one may have lost all."""
    await conn.execute(_FORGET, {"chat": chat_id})
