"""Whether those who watch may go on."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, column, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.store.accounts import token_is_valid
from models.store.reading import reading
from models.store.scoping import readable
from models.store.tables import api_tokens, chats, users


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A token, and the chat that it looks at; None: lists of the user's own."""

    token_id: UUID
    chat_id: UUID | None


async def read_allowed(engine: AsyncEngine, streams: Collection[OpenStream]) -> set[OpenStream]:
    """Those of the streams that may go on: their token holds, and its user may read their chat."""
    token_ids = literal([stream.token_id for stream in streams], ARRAY(Uuid))
    chat_ids = literal([stream.chat_id for stream in streams], ARRAY(Uuid))
    watched = (
        func.unnest(token_ids, chat_ids)
        .table_valued(column("token_id", Uuid), column("chat_id", Uuid), name="watched")
        .render_derived()
    )
    async with reading(engine) as conn:
        found = await conn.execute(
            select(watched.c.token_id, watched.c.chat_id)
            .select_from(watched)
            .join(api_tokens, api_tokens.c.id == watched.c.token_id)
            .join(users, users.c.id == api_tokens.c.user_id)
            .outerjoin(chats, chats.c.id == watched.c.chat_id)
            .where(token_is_valid(), or_(watched.c.chat_id.is_(None), readable(api_tokens.c.user_id)))
        )
        return {OpenStream(*row) for row in found}
