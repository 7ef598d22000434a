"""Noting changes of a chat in the audit log, those that were refused as well (spec api.md 4.4)."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.audit.trail import Trail, watched
from api.auth.principals import CurrentCaller
from api.chats.access import CurrentChat


async def _trail(
    connection: HTTPConnection, chat: CurrentChat, caller: CurrentCaller
) -> AsyncGenerator[Trail]:
    trail = Trail(caller, "write", "chat")
    trail.about(chat.id, chat.title, organization_id=chat.organization_id)
    async with watched(connection, trail) as watching:
        yield watching


ChatTrail = Annotated[Trail, Depends(_trail)]
"""Taken before the chat is, it also notes that a caller may not change it."""
