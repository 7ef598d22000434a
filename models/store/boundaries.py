"""Rows behind which the next prompt begins: a summary, or nothing (spec chat-loop.md 1.14).

A boundary is three rows that enter together. The model sees the first; readers see a tool call and its
result, which tell what happened.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.parts import TextPart, ToolCallPart, ToolResultPart, dump_part
from models.store.bundle import NewMessage
from models.store.tables import messages
from models.store.transcripts import NEWEST_BOUNDARY, TranscriptMessage

CLEARED_TOOL = "chat_cleared"

_CLEARED = (
    "The user cleared the earlier conversation. It is over and cannot be seen any more; "
    "what follows begins anew."
)

_SINCE_THE_BOUNDARY = (
    messages.c.chat_id == bindparam("chat"),
    messages.c.deleted.is_(False),
    messages.c.compressed.is_(False),
    messages.c.id > NEWEST_BOUNDARY,
)
_HAS_ANSWER = select(exists().where(*_SINCE_THE_BOUNDARY, messages.c.role == "assistant"))
_HAS_CONTENT = select(exists().where(*_SINCE_THE_BOUNDARY, messages.c.role != "system"))


async def has_answer(conn: AsyncConnection, chat_id: UUID) -> bool:
    """Whether the model has said anything since the newest boundary, so that a summary is worth while."""
    return bool(await conn.scalar(_HAS_ANSWER, {"chat": chat_id}))


async def has_content(conn: AsyncConnection, chat_id: UUID) -> bool:
    """Whether there is anything since the newest boundary."""
    return bool(await conn.scalar(_HAS_CONTENT, {"chat": chat_id}))


def boundary_rows(model_text: str, call: dict[str, Any], result: dict[str, Any]) -> list[NewMessage]:
    """A boundary.

    Args:
        model_text: what the model sees in place of all before.
        call: tool call part for readers, in stored form; its result is `result`.
    """
    text = dump_part(TextPart(text=model_text))
    return [
        # a user's row: providers need a message that is no system prompt
        NewMessage("user", [text], visibility="model", compressed=True),
        NewMessage("assistant", [call], visibility="user", compressed=True),
        NewMessage("tool", [result], compressed=True),
    ]


def cleared_rows() -> list[NewMessage]:
    """The boundary of a user who wants to begin anew."""
    call_id, now = f"{CLEARED_TOOL}_{uuid4()}", datetime.now(UTC)
    call = ToolCallPart(tool_call_id=call_id, tool_name=CLEARED_TOOL, args={}, created_at=now)
    result = ToolResultPart(
        tool_call_id=call_id, tool_name=CLEARED_TOOL, result={"source": "manual"}, created_at=now
    )
    return boundary_rows(_CLEARED, dump_part(call), dump_part(result))


def replayed_rows(unanswered: Sequence[TranscriptMessage]) -> list[NewMessage]:
    """Messages that wait for their answer, once more behind the boundary, for the model alone."""
    return [
        NewMessage(
            "user",
            row.parts,
            visibility="model",
            created_by=row.created_by,
            model_config_id=row.model_config_id,
        )
        for row in unanswered
    ]
