"""Events of the chat list (spec api.md 7)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from api.payloads import chat_payload, pending_payload
from api.streaming.events import Event
from api.watching.hub import ReadEvents
from models.hints import Hint, HintKind
from models.store import chats, views
from models.store.chats import ChatRecord

_NOT_IN_EVENTS = ("files", "children", "has_unread")


def chat_list_events(engine: AsyncEngine) -> ReadEvents:
    """Reads the chats that hints are about: each once, however many hints name it."""

    async def read(owner_id: UUID, hints: Sequence[Hint]) -> list[Event]:
        found = await chats.read_owned(engine, owner_id, {hint.chat_id for hint in hints})
        shown = [(hint, found[hint.chat_id]) for hint in hints if hint.chat_id in found]
        return [_event(hint.kind, chat, await _calls(engine, hint, chat)) for hint, chat in shown]

    return read


async def _calls(engine: AsyncEngine, hint: Hint, chat: ChatRecord) -> list[dict[str, Any]]:
    """The calls that wait for somebody; none once they have been answered."""
    if hint.kind is not HintKind.ACTION_REQUIRED:
        return []
    return [pending_payload(call) for call in await views.read_pending(engine, chat.id, chat.state)]


def _event(kind: HintKind, chat: ChatRecord, calls: list[dict[str, Any]]) -> Event:
    payload = {name: value for name, value in chat_payload(chat).items() if name not in _NOT_IN_EVENTS}
    body: dict[str, Any] = {"kind": kind, "chat": payload}
    if calls:
        body["tool_calls"] = calls
    return Event(kind, orjson.dumps(body))
