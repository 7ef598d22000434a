"""Who may follow a chat, found out once for a crowd that comes at the same moment."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from api.gate import Gate
from api.single_flight import SingleFlight
from api.streaming.reading_along import ReadMarks
from models.store.accounts import Caller
from models.store.chats import ChatRecord, find_chat

REMEMBER_SECONDS = 1.0
"""Somebody who loses access may be let in for so long, and is shown out by `api.auth.guard`."""


class Admission:
    """The way into streams: the check of access and the mark as read, together, once a second for each caller
    and chat, however many connections they open."""

    def __init__(self, engine: AsyncEngine, gate: Gate, marks: ReadMarks) -> None:
        self._engine = engine
        self._gate = gate
        self._marks = marks
        self._known: SingleFlight[tuple[Caller, UUID], ChatRecord | None] = SingleFlight(
            keep_seconds=REMEMBER_SECONDS
        )

    async def find(self, caller: Caller, chat_id: UUID) -> ChatRecord | None:
        """The chat as it was a second ago at most, marked as read if it is the caller's own; None if there is
        none for this caller.

        Raises:
            ApiError: 503, too many come at once.
        """
        return await self._known.ask((caller, chat_id), lambda: self._find(caller, chat_id))

    async def _find(self, caller: Caller, chat_id: UUID) -> ChatRecord | None:
        async with self._gate.passing():
            chat = await find_chat(self._engine, caller, chat_id)
        if chat is not None:
            await self._marks.move(chat)
        return chat
